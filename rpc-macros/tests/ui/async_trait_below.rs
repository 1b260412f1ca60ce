use async_trait::async_trait;
use rpc_core::{Rpc, rpc_service};

#[rpc_service]
#[async_trait]
trait Shop {
    async fn price(&self, item: &str) -> u32;
    async fn close(&self) {}
}

struct Shelf;

#[async_trait]
impl Shop for Shelf {
    async fn price(&self, item: &str) -> u32 {
        item.len() as u32
    }
    async fn close(&self) {}
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea").await?;
    assert_eq!(price, 3);
    client.close().await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
