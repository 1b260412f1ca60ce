//! A contract, a server and a client, each a crate of its own; here both ends run in one process.
//!
//! `cargo run --example three-crates` runs over `memory://`; with `RABBITMQ_URL` set, over that broker. The two
//! programs are `cargo run -p shop-server` and `cargo run -p shop-client`.

use std::env;

use anyhow::{Result, bail};
use rpc_core::Rpc;
use shop_client::spend;
use shop_contract::{ShopClient, ShopError};

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://shop".into());
    let inside = Rpc::connect(&broker).await?;
    let server = shop_server::start(&inside).await?;

    let shop = ShopClient::new(&Rpc::connect(&broker).await?);
    println!("{:?}", spend(&shop, 5000, "lamp").await?);
    match spend(&shop, 1_000_000, "lamp").await {
        Err(ShopError::SoldOut { left }) => println!("too many: {left} left"),
        other => bail!("expected to be refused, got {other:?}"),
    }
    server.shutdown().await?;
    Ok(())
}
