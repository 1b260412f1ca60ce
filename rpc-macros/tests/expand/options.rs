/// Options of the service and of its methods.
#[rpc_service(prefix = "meter.", name = "Electricity", crate = wire)]
pub trait Meter {
    /// Adds units.
    #[rpc(one_way, name = "add.v2", queue = QueueOptions::default().quorum())]
    async fn add(&self, units: u64);

    #[rpc(idempotent, timeout = "5s", priority = 3, concurrency = 1)]
    async fn total(&self) -> u64;
}
