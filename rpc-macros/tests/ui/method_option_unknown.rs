use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    #[rpc(time_out = "3s")]
    async fn price(&self, item: String) -> u32;
    #[rpc(prefix = "shop.")]
    async fn stock(&self, item: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: String) -> u32 {
        item.len() as u32
    }
    async fn stock(&self, item: String) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea".into()).await?;
    let stock: u32 = client.stock("tea".into()).await?;
    assert_eq!(price, stock);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
