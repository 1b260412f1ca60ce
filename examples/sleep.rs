//! A service that sleeps, and its client.
//!
//! - `cargo run --example sleep` runs both in this process, over `memory://`.
//! - `cargo run --example sleep -- server` serves until Ctrl-C or SIGTERM, then finishes what it started.
//! - `cargo run --example sleep -- client` calls it and prints what came back.
//!
//! The last two meet at the broker that `RABBITMQ_URL` names, by default the one on this machine.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rpc_core::{Rpc, RpcError, rpc_service};
use tokio::signal;
use tokio::time::sleep;

/// Puts its callers to sleep.
#[rpc_service]
pub trait Sleep {
    /// Sleeps `t` seconds, then returns `t`.
    async fn sleep(&self, t: u64) -> u64;
}

struct Bed;

impl Sleep for Bed {
    async fn sleep(&self, t: u64) -> u64 {
        println!("server: sleeping {t} s");
        sleep(Duration::from_secs(t)).await;
        t
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(env::var("RUST_LOG").unwrap_or_else(|_| "warn,lapin=off".into()))
        .init();
    match env::args().nth(1).as_deref() {
        None => both().await,
        Some("server") => server(&Rpc::connect(broker()).await?).await,
        Some("client") => client(&Rpc::connect(broker()).await?).await,
        Some(other) => bail!("`{other}` is neither `server` nor `client`"),
    }
}

fn broker() -> String {
    env::var("RABBITMQ_URL").unwrap_or_else(|_| "amqp://guest:guest@localhost:5672/%2f".into())
}

async fn both() -> Result<()> {
    println!("server and client in one process, over memory://");
    let rpc = Rpc::connect("memory://").await?;
    let server = rpc.serve(SleepServer::new(Bed)).await?;
    client(&rpc).await?;
    server.shutdown().await?;
    println!("server: done");
    Ok(())
}

async fn server(rpc: &Rpc) -> Result<()> {
    let server = rpc.serve(SleepServer::new(Bed)).await?;
    println!("server: ready; Ctrl-C stops it");
    told_to_stop().await?;
    println!("server: finishing what was started");
    server.shutdown().await?;
    rpc.close().await;
    println!("server: done");
    Ok(())
}

async fn client(rpc: &Rpc) -> Result<()> {
    let client = SleepClient::new(rpc);
    let start = Instant::now();
    println!("client: sleep(1) ...");
    let slept = client.sleep(1).await.context("sleep(1)")?;
    println!(
        "client: slept {slept} s, and waited {:.1} s",
        start.elapsed().as_secs_f64()
    );

    println!("client: sleep(10), but for half a second at most ...");
    match client.sleep(10).timeout(Duration::from_millis(500)).await {
        Err(error @ (RpcError::Timeout { .. } | RpcError::Expired { .. })) => {
            println!("client: {error}");
            Ok(())
        }
        other => bail!("expected a timeout, got {other:?}"),
    }
}

#[cfg(unix)]
async fn told_to_stop() -> Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ctrl_c = signal::ctrl_c() => ctrl_c?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> Result<()> {
    Ok(signal::ctrl_c().await?)
}
