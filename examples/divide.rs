//! The Rust end of the peers in Python, JavaScript and Go: see `examples/peers`.
//!
//! - `cargo run --example divide` serves and calls in this process, over `memory://`.
//! - `cargo run --example divide -- server` serves until Ctrl-C.
//! - `cargo run --example divide -- client` calls `divide`, and a method that nobody has registered.
//!
//! The last two meet their peers at `RABBITMQ_URL`, by default the broker on this machine.

use std::env;

use anyhow::{Result, bail};
use rpc_core::{Rpc, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal;

/// Arithmetic.
#[rpc_service]
trait Arithmetic {
    /// Divides `a` by `b`.
    #[rpc(idempotent)]
    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero>;
}

/// Why there is no quotient.
#[derive(Debug, Deserialize, Serialize, thiserror::Error)]
#[error("{a} cannot be divided by zero")]
struct DivisionByZero {
    a: f64,
}

struct Calculator;

impl Arithmetic for Calculator {
    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero> {
        if b == 0.0 {
            return Err(DivisionByZero { a });
        }
        Ok(a / b)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    match env::args().nth(1).as_deref() {
        None => {
            let rpc = Rpc::connect("memory://").await?;
            let server = rpc.serve(ArithmeticServer::new(Calculator)).await?;
            client(&rpc).await;
            server.shutdown().await?;
        }
        Some("server") => {
            let rpc = Rpc::connect(broker()).await?;
            let server = rpc.serve(ArithmeticServer::new(Calculator)).await?;
            println!("ready");
            signal::ctrl_c().await?;
            server.shutdown().await?;
        }
        Some("client") => client(&Rpc::connect(broker()).await?).await,
        Some(other) => bail!("`{other}` is neither `server` nor `client`"),
    }
    Ok(())
}

fn broker() -> String {
    env::var("RABBITMQ_URL").unwrap_or_else(|_| "amqp://guest:guest@localhost:5672/%2f".into())
}

async fn client(rpc: &Rpc) {
    let arithmetic = ArithmeticClient::new(rpc);
    for (a, b) in [(7.0, 2.0), (1.0, 0.0)] {
        match arithmetic.divide(a, b).await {
            Ok(quotient) => println!("divide -> {quotient}"),
            Err(error) => println!("divide failed: {error}"),
        }
    }
    // By its name, as the other clients do it.
    match rpc.call("nobody", json!({})).await {
        Ok(value) => println!("nobody -> {value}"),
        Err(error) => println!("nobody failed: {error}"),
    }
}
