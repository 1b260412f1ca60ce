use rpc_core::{Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};

#[rpc_service]
trait Shop {
    async fn price(&self, item: &str) -> Result<u32, ShopError>;
    fn version(&self) -> String;
}

#[derive(Debug, Serialize, Deserialize)]
struct ShopError;

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

impl From<RpcError> for ShopError {
    fn from(_: RpcError) -> Self {
        Self
    }
}

fn hire(_shop: &impl Shop) {}

fn run(rpc: &Rpc) {
    hire(&ShopClient::new(rpc));
}

fn main() {
    let _ = run;
}
