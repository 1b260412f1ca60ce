use rpc_core::{Rpc, rpc_service};

#[rpc_service(dyn_trait = DynShop)]
trait Shop: Clone {
    async fn price(&self, item: String) -> u32;
}

#[derive(Clone)]
struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: String) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
