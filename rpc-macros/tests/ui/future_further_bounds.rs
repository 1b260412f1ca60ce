use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    fn price(&self, item: u32) -> impl Future<Output = u32> + Send + Unpin;
    fn tax(&self, item: u32) -> impl Future<Output = u32> + Send + Sync + 'static;
    fn sum(&self, item: u32) -> impl Future<Output = u32> + Send + use<Self>;
}

struct Shelf;

impl Shop for Shelf {
    fn price(&self, item: u32) -> impl Future<Output = u32> + Send + Unpin {
        std::future::ready(item)
    }

    fn tax(&self, item: u32) -> impl Future<Output = u32> + Send + Sync + 'static {
        std::future::ready(item)
    }

    fn sum(&self, item: u32) -> impl Future<Output = u32> + Send + use<> {
        std::future::ready(item)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(3).await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
