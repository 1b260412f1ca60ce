use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: u32, #[serde(skip)] here: u32, #[serde(skip_serializing)] there: u32) -> u32;
    async fn tax(&self, #[serde(skip_deserializing)] item: u32) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: u32, here: u32, there: u32) -> u32 {
        item + here + there
    }

    async fn tax(&self, item: u32) -> u32 {
        item
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(3, 0, 0).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
