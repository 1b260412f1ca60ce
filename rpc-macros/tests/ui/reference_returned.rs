use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn name(&self) -> &str;
    async fn slogan(&self) -> Result<&'static str, String>;
    async fn stock(&self) -> &'static mut u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn name(&self) -> &str {
        "corner shop"
    }
    async fn slogan(&self) -> Result<&'static str, String> {
        Ok("always open")
    }
    async fn stock(&self) -> &'static mut u32 {
        Box::leak(Box::new(3))
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    println!("{}", client.name().await?);
    assert_eq!(client.slogan().await?, "always open");
    assert_eq!(client.stock().await?, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
