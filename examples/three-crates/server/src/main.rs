//! Serves the shop until Ctrl-C: `RABBITMQ_URL=amqp://localhost cargo run -p shop-server`.

use std::env;

use anyhow::{Context, Result};
use rpc_core::Rpc;
use tokio::signal;

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").context("RABBITMQ_URL names the broker")?;
    let rpc = Rpc::connect(broker).await?;
    let server = shop_server::start(&rpc).await?;
    println!("the shop is open; Ctrl-C closes it");
    signal::ctrl_c().await?;
    server.shutdown().await?;
    rpc.close().await;
    Ok(())
}
