use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop<T>
where
    Self: Clone,
    T: From<Self>,
    Option<Self>: Clone,
{
    async fn price(&self, item: T) -> u32;
}

#[derive(Clone)]
struct Shelf;

impl From<Shelf> for String {
    fn from(_: Shelf) -> String {
        "shelf".into()
    }
}

impl Shop<String> for Shelf {
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
