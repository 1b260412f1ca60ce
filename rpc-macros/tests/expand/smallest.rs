/// Puts its callers to sleep.
#[rpc_service]
pub trait Sleep {
    /// Sleeps `t` seconds, then returns `t`.
    async fn sleep(&self, t: u64) -> u64;
}
