use rpc_core::{Rpc, rpc_service};
use serde::Serialize;

#[rpc_service]
trait Shop {
    async fn look_up(&self) -> Result<Item, String>;
}

#[derive(Serialize)]
struct Item {
    name: String,
}

struct Shelf;

impl Shop for Shelf {
    async fn look_up(&self) -> Result<Item, String> {
        Ok(Item { name: "tea".into() })
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let _ = client.look_up().await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
