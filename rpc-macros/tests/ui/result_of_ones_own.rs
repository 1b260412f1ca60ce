use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: u32) -> mine::Result<u32, String>;
}

mod mine {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub enum Result<T, E> {
        Ok(T),
        Err(E),
    }
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: u32) -> mine::Result<u32, String> {
        mine::Result::Ok(item)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price = client.price(3).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
