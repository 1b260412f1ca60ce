use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: &str) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: &str) -> u32 {
        item.len() as u32
    }
}

fn hire(_shop: &impl Shop) {}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
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
