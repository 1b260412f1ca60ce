use rpc_core::{Rpc, rpc_service};

type Outcome<T> = Result<T, String>;

#[rpc_service]
trait Shop {
    async fn price(&self, item: u32) -> Outcome<u32>;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: u32) -> Outcome<u32> {
        Ok(item)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price = client.price(3).await?;
    assert_eq!(price, Ok(3));
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
