use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self) -> impl ToString + Send;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self) -> impl ToString + Send {
        3
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    println!("{}", client.price().await?.to_string());
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
