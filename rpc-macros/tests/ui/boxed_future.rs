use rpc_core::{Rpc, rpc_service};
use std::pin::Pin;

#[rpc_service]
trait Shop {
    fn price(&self, item: String) -> Pin<Box<dyn Future<Output = u32> + Send + '_>>;
}

struct Shelf;

impl Shop for Shelf {
    fn price(&self, item: String) -> Pin<Box<dyn Future<Output = u32> + Send + '_>> {
        Box::pin(async move { item.len() as u32 })
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea".into()).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
