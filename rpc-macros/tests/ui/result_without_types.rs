use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn look_up(&self) -> fmt::Result;
}

use std::fmt;

struct Shelf;

impl Shop for Shelf {
    async fn look_up(&self) -> fmt::Result {
        Ok(())
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
