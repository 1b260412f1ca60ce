use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: String, r#item: String) -> u32;
    async fn stock(&self, item: String, #[serde(rename = "item")] other: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: String, other: String) -> u32 {
        (item.len() + other.len()) as u32
    }
    async fn stock(&self, item: String, other: String) -> u32 {
        (item.len() + other.len()) as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea".into(), "milk".into()).await?;
    assert_eq!(price, client.stock("tea".into(), "milk".into()).await?);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
