#[rpc_service]
trait Bank: std::fmt::Debug {
    async fn audit(&self);

    async fn pay(&self, from: Account, to: Account, amount: u64) -> Result<Receipt, Refusal>;

    async fn last(&self, account: Account) -> Receipt;

    async fn balance(&self, account: Account) -> bank::Result<u64>;
}
