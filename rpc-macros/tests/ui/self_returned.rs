use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn copy(&self) -> Self;
    async fn split(&self) -> Vec<Self>;
}

struct Shelf;

impl Shop for Shelf {
    async fn copy(&self) -> Self {
        Shelf
    }
    async fn split(&self) -> Vec<Self> {
        vec![Shelf, Shelf]
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let copy: Shelf = client.copy().await?;
    assert_eq!(client.split().await?.len(), 2);
    drop(copy);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
