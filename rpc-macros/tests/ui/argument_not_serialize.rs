use rpc_core::{Rpc, rpc_service};
use serde::Deserialize;

#[rpc_service]
trait Shop {
    async fn price(&self, item: Item) -> u32;
}

#[derive(Deserialize)]
struct Item {
    name: String,
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: Item) -> u32 {
        item.name.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(Item { name: "tea".into() }).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
