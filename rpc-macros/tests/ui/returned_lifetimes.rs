use rpc_core::{Rpc, rpc_service};
use std::borrow::Cow;

#[rpc_service]
trait Shop {
    async fn name(&self) -> Cow<'_, str>;
    async fn slogan(&self) -> Cow<'static, str>;
}

struct Shelf;

impl Shop for Shelf {
    async fn name(&self) -> Cow<'_, str> {
        "corner shop".into()
    }
    async fn slogan(&self) -> Cow<'static, str> {
        "always open".into()
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    assert_eq!(client.name().await?, client.slogan().await?);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
