use rpc_core::{Rpc, rpc_service};
use std::sync::Arc;

#[rpc_service]
trait Shop {
    async fn close(self);
    async fn fill(&mut self);
    async fn sweep(self: Arc<Self>);
}

struct Shelf;

impl Shop for Shelf {
    async fn close(self) {}
    async fn fill(&mut self) {}
    async fn sweep(self: Arc<Self>) {}
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    client.close().await?;
    client.fill().await?;
    client.sweep().await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
