//! Spends some money: `RABBITMQ_URL=amqp://localhost cargo run -p shop-client`, while `shop-server` runs.

use std::env;

use anyhow::{Context, Result};
use rpc_core::Rpc;
use shop_contract::ShopClient;

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").context("RABBITMQ_URL names the broker")?;
    let shop = ShopClient::new(&Rpc::connect(broker).await?);
    let receipt = shop_client::spend(&shop, 5000, "lamp").await?;
    println!("{receipt:?}");
    Ok(())
}
