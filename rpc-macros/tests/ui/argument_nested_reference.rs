use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn price(
        &self,
        all: Vec<&str>,
        pair: (&str, u8),
        maybe: Option<Option<&str>>,
        twice: &&str,
    ) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(
        &self,
        all: Vec<&str>,
        pair: (&str, u8),
        maybe: Option<Option<&str>>,
        twice: &&str,
    ) -> u32 {
        all.len() as u32 + u32::from(pair.1) + u32::from(maybe.is_some()) + twice.len() as u32
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(vec!["tea"], ("tea", 2), None, &"").await?;
    assert_eq!(price, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
