use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: &str) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: &str) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(Shelf).await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
