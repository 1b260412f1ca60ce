use rpc_core::{Rpc, rpc_service};

#[rpc_service(rename_all = "camel")]
trait Shop {
    async fn price(&self, item: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: String) -> u32 {
        item.len() as u32
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
