use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, items: Vec<Item>, more: Option<Item>) -> u32;
}

struct Item {
    name: String,
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, items: Vec<Item>, more: Option<Item>) -> u32 {
        (items.len() + more.map_or(0, |item| item.name.len())) as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client
        .price(vec![Item { name: "tea".into() }], None)
        .await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
