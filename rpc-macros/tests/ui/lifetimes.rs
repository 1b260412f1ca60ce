use rpc_core::{Rpc, rpc_service};
use std::borrow::Cow;

#[rpc_service]
trait Shop {
    async fn price(&self, item: Cow<'_, str>, shelf: Cow<'static, str>) -> Cow<'_, str>;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: Cow<'_, str>, shelf: Cow<'static, str>) -> Cow<'_, str> {
        Cow::from(item.into_owned() + &shelf)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    assert_eq!(client.price("tea".into(), "top".into()).await?, "teatop");
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
