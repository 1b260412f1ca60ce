use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: mine::Option<&str>) -> u32;
}

mod mine {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Option<T>(pub T);
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: mine::Option<&str>) -> u32 {
        item.0.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(mine::Option("tea")).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
