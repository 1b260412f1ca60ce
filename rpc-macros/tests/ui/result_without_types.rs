use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn find(&self) -> fmt::Result;
}

use std::fmt;

struct Shelf;

impl Shop for Shelf {
    async fn find(&self) -> fmt::Result {
        Ok(())
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let _ = client.find().await;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
