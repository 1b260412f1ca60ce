use rpc_core::{Rpc, rpc_service};

#[rpc_service(json)]
trait Shop {
    type Item;
    async fn price(&mut self, item: &str, _: Vec<impl ToString + Send>) -> Self;
    fn new() -> u32;
}

struct Shelf;

impl Shop for Shelf {
    type Item = String;
    async fn price(&mut self, _: &str, _: Vec<impl ToString + Send>) -> Self {
        Shelf
    }
    fn new() -> u32 {
        3
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let shelf: Shelf = client.price("tea", vec!["milk"]).await?;
    drop(shelf);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
