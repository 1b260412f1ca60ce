use rpc_core::{Rpc, RpcError, rpc_service};

#[rpc_service]
trait Shop: Stock {
    async fn price(&self, item: u32) -> Result<u32, Lost>;
}

trait Stock {}

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl std::error::Error for Lost {}

impl From<RpcError> for Lost {
    fn from(_: RpcError) -> Self {
        Self
    }
}

struct Shelf;

impl Stock for Shelf {}

impl Shop for Shelf {
    async fn price(&self, item: u32) -> Result<u32, Lost> {
        Ok(item)
    }
}

fn hire(_shop: &impl Shop) {}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(3).await?;
    assert_eq!(price, 3);
    hire(&Shelf);
    hire(&client);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
