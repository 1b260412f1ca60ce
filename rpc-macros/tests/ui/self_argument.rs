use rpc_core::{Rpc, rpc_service};

trait Stock {
    type Item: Send;
}

impl Stock for Shelf {
    type Item = String;
}

#[rpc_service]
trait Shop: Stock {
    async fn merge(&self, other: Self) -> u32;
    async fn price(&self, item: Self::Item) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn merge(&self, _other: Self) -> u32 {
        3
    }
    async fn price(&self, item: String) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let merged: u32 = client.merge(Shelf).await?;
    assert_eq!(merged, client.price("tea".into()).await?);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
