use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: Item<'_>, items: &[Item<'_>]) -> u32;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Item<'a>(&'a str);

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: Item<'_>, items: &[Item<'_>]) -> u32 {
        (item.0.len() + items.len()) as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(Item("tea"), &[]).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
