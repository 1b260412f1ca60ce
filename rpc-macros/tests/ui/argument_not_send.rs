use rpc_core::{Rpc, rpc_service};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

#[rpc_service]
trait Shop {
    async fn price(&self, item: Item) -> u32;
}

#[derive(Default, Serialize, Deserialize)]
struct Item {
    len: u32,
    raw: PhantomData<*const u8>,
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let client = ShopClient::new(&rpc);
    let price: u32 = client.price(Item::default()).await?;
    assert_eq!(price, 3);
    Ok(())
}

fn main() {
    let _ = run;
}
