use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price<T: ToString + Send>(&self, item: T) -> u32;
    async fn look<const N: usize>(&self, item: [u8; N]) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price<T: ToString + Send>(&self, item: T) -> u32 {
        item.to_string().len() as u32
    }
    async fn look<const N: usize>(&self, item: [u8; N]) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea").await?;
    let look: u32 = client.look([1, 2, 3]).await?;
    assert_eq!(price, look);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
