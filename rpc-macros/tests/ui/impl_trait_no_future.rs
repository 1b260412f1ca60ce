use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    fn name(&self) -> impl ToString + Send;
    fn price(&self, item: String) -> impl Future + Send;
}

struct Shelf;

impl Shop for Shelf {
    fn name(&self) -> impl ToString + Send {
        "corner shop"
    }
    fn price(&self, item: String) -> impl Future + Send {
        async move { item.len() }
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    println!("{}", client.name().await?.to_string());
    client.price("tea".into()).await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
