//! A service that calls another: the deadline travels by itself, headers are passed on by hand.
//!
//! `cargo run --example nested` runs over `memory://`; with `RABBITMQ_URL` set, over that broker.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rpc_core::{Context, Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// What is in stock.
#[rpc_service(prefix = "stock.")]
trait Stock {
    /// Counts the articles of that name, which takes ten seconds for the tenant `slow`.
    async fn count(&self, article: &str) -> u32;
}

/// What is ordered.
#[rpc_service(prefix = "orders.")]
trait Orders {
    /// Whether so many can be delivered.
    async fn deliverable(&self, article: &str, pieces: u32) -> Result<bool, OrderError>;
}

#[derive(Debug, Deserialize, Serialize, thiserror::Error)]
enum OrderError {
    #[error("the stock does not answer: {0}")]
    Stock(String),
}

impl From<RpcError> for OrderError {
    fn from(error: RpcError) -> Self {
        Self::Stock(error.to_string())
    }
}

struct Shelves;

impl Stock for Shelves {
    async fn count(&self, article: &str) -> u32 {
        let call = Context::current();
        let tenant = call.header("tenant").and_then(|name| name.as_str());
        let left = call.time_left().unwrap_or_default();
        println!("stock:  {article} for {tenant:?}, within {left:.1?}");
        if tenant == Some("slow") {
            sleep(Duration::from_secs(10)).await;
        }
        3
    }
}

struct Desk {
    stock: StockClient,
}

impl Orders for Desk {
    async fn deliverable(&self, article: &str, pieces: u32) -> Result<bool, OrderError> {
        let mut count = self.stock.count(article);
        if let Some(tenant) = Context::current().header("tenant") {
            count = count.header("tenant", tenant.clone());
        }
        // No timeout: this call ends by the deadline of the one that is being served.
        Ok(count.await? >= pieces)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://nested".into());
    let (inner, outer) = (Rpc::connect(&broker).await?, Rpc::connect(&broker).await?);
    let stock = inner.serve(StockServer::new(Shelves)).await?;
    let desk = Desk {
        stock: StockClient::new(&outer),
    };
    let orders = outer.serve(OrdersServer::new(desk)).await?;

    let client = OrdersClient::new(&Rpc::connect(&broker).await?);
    let call = client.deliverable("lamp", 2).header("tenant", "acme");
    println!(
        "client: two lamps: {}",
        call.timeout(Duration::from_secs(5)).await?
    );

    // The deadline of a second holds for both calls, so nobody works on for a caller that has gone.
    let start = Instant::now();
    let call = client.deliverable("lamp", 2).header("tenant", "slow");
    let late = call.timeout(Duration::from_secs(1)).await;
    println!("client: {}", late.expect_err("the stock takes ten seconds"));
    ensure!(start.elapsed() < Duration::from_secs(5));

    orders.shutdown().await?;
    stock.shutdown().await?;
    Ok(())
}
