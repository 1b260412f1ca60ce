use rpc_core::{Rpc, rpc_service};
use std::sync::Arc;

#[rpc_service(dyn_trait = DynShop)]
trait Shop {
    async fn price(&mut self, item: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&mut self, item: String) -> u32 {
        item.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let shop: Arc<dyn DynShop> = Arc::new(Shelf);
    let server = rpc.serve(ShopServer::from(shop)).await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
