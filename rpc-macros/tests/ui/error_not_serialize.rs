use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn look_up(&self) -> Result<u32, ShopError>;
}

#[derive(Debug)]
enum ShopError {
    Closed,
}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

struct Shelf;

impl Shop for Shelf {
    async fn look_up(&self) -> Result<u32, ShopError> {
        Err(ShopError::Closed)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let _ = client.look_up().await;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
