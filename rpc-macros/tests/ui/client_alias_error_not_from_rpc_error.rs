use rpc_core::{Rpc, rpc_service};
use serde::{Deserialize, Serialize};

type Result<T> = core::result::Result<T, ShopError>;

#[rpc_service]
trait Shop {
    async fn price(&self, item: &str) -> Result<u32>;
}

#[derive(Debug, Serialize, Deserialize)]
enum ShopError {
    Closed,
}

impl std::error::Error for ShopError {}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: &str) -> Result<u32> {
        match item {
            "tea" => Ok(3),
            _ => Err(ShopError::Closed),
        }
    }
}

fn hire(_shop: &impl Shop) {}

async fn run(rpc: Rpc) -> core::result::Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea").await?;
    assert_eq!(price, 3);
    hire(&Shelf);
    hire(&client);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
