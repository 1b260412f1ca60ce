use rpc_core::{Rpc, rpc_service};
use serde::{Deserialize, Serialize};

#[rpc_service]
trait Shop {
    async fn price(&self, item: &str) -> Result<u32, ShopError>;
    async fn sell(&self, item: &str) -> Result<(), ShopError>;
    async fn close(&self) -> Result<(), ShopError>;
}

#[derive(Debug, Serialize, Deserialize)]
struct ShopError;

impl std::error::Error for ShopError {}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

async fn shop(shop: &impl Shop) -> Result<u32, ShopError> {
    shop.sell("tea").await?;
    shop.price("tea").await
}

async fn run(rpc: Rpc) -> Result<u32, ShopError> {
    let client = ShopClient::new(&rpc);
    shop(&client).await
}

fn main() {
    let _ = run;
}
