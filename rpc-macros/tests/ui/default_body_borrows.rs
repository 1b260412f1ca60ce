use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, item: String) -> u32 {
        let length = std::thread::spawn(|| item.len());
        length.join().map_or(0, |length| length as u32)
    }

    async fn longest(&self, items: Vec<String>) -> usize {
        let first = &items[0];
        drop(items);
        first.len()
    }
}

struct Shelf;

impl Shop for Shelf {}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
