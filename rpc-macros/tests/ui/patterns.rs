use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(&self, _: String, mut all: Vec<u8>, (x, y): (u8, u8)) -> u32;
    async fn stock(&self, (x, y): (u8, u8)) -> u32 {
        u32::from(x + y)
    }
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, _: String, mut all: Vec<u8>, (x, y): (u8, u8)) -> u32 {
        all.extend([x, y]);
        all.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price("tea".into(), vec![1], (2, 3)).await?;
    assert_eq!(price, client.stock((1, 2)).await?);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
