use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: Cow<str>, #[serde(default)] more: u32) -> u32;
}

use std::borrow::Cow;

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: Cow<'_, str>, more: u32) -> u32 {
        item.len() as u32 + more
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea".into(), 0).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
