use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    fn price(&self, item: u32) -> impl mine::Future<Output = u32> + Send;
}

mod mine {
    pub trait Future {
        type Output;
    }

    impl Future for u32 {
        type Output = u32;
    }
}

struct Shelf;

impl Shop for Shelf {
    fn price(&self, item: u32) -> impl mine::Future<Output = u32> + Send {
        item
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
