//! The example of the README, which is kept equal to this file by a test.
//!
//! `cargo run --example readme` needs RabbitMQ on this machine; `sleep` is the one that needs nothing.

use rpc_core::{Rpc, rpc_service};
use serde_json::json;
use std::time::Duration;

/// Puts its callers to sleep.
#[rpc_service]
pub trait Sleep {
    /// Sleeps `t` seconds, then returns `t`.
    async fn sleep(&self, t: u64) -> u64;
}

struct Bed;
impl Sleep for Bed {
    async fn sleep(&self, t: u64) -> u64 {
        tokio::time::sleep(Duration::from_secs(t)).await;
        t
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rpc = Rpc::connect("amqp://localhost").await?; // or amqps://, or memory://
    let server = rpc.serve(SleepServer::new(Bed)).await?; // each method registered by its name

    let client = SleepClient::new(&rpc);
    client.sleep(3).await?; // typed
    client.sleep(3).timeout(Duration::from_secs(5)).await?; // an option of this one call
    rpc.call("sleep", json!({"t": 3})).await?; // untyped: serde_json::Value

    server.shutdown().await?; // finishes what it started, hands back the rest
    Ok(())
}
