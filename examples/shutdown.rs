//! A rolling restart: the new release starts beside the old one, which is told to stop by SIGTERM. No call fails.
//!
//! `cargo run --example shutdown` runs over `memory://`; with `RABBITMQ_URL` set, over that broker. It is both
//! releases, their caller, and whoever sends the signal.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use anyhow::{Result, ensure};
use rpc_core::{Rpc, rpc_service};
use tokio::time::sleep;

/// Says who serves.
#[rpc_service(prefix = "release.")]
trait Release {
    /// Its name, after a while.
    async fn name(&self) -> String;
}

struct Named(&'static str);

impl Release for Named {
    async fn name(&self) -> String {
        sleep(Duration::from_millis(50)).await;
        self.0.into()
    }
}

const CALLS: usize = 40;

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://shutdown".into());
    // Before anything else: without a handler SIGTERM would kill the process.
    let stop = stop_signal()?;
    let old = Rpc::builder(&broker)
        // Less than the orchestrator waits before it kills: 30 s on Kubernetes.
        .shutdown_grace(Duration::from_secs(20))
        .connect()
        .await?;
    let serving = old.serve(ReleaseServer::new(Named("old"))).await?;

    let caller = ReleaseClient::new(&Rpc::connect(&broker).await?);
    let calls = tokio::spawn(async move {
        let mut answers = BTreeMap::new();
        for _ in 0..CALLS {
            *answers.entry(caller.name().await?).or_insert(0) += 1;
        }
        anyhow::Ok(answers)
    });

    sleep(Duration::from_millis(500)).await;
    let new = Rpc::connect(&broker).await?;
    let next = new.serve(ReleaseServer::new(Named("new"))).await?;
    println!("both releases serve");

    sleep(Duration::from_millis(500)).await;
    send_stop_signal()?;
    stop.await?;
    println!("old: told to stop");
    // It takes no more calls, and finishes and answers those that it has.
    serving.shutdown().await?;
    old.close().await;
    println!("old: stopped");

    let answers = calls.await??;
    println!("calls answered: {answers:?}");
    ensure!(answers.values().sum::<usize>() == CALLS && answers.len() == 2);
    next.shutdown().await?;
    Ok(())
}

/// Ends at the first SIGTERM; it is listened to from now on.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
        Ok(())
    })
}

/// What the orchestrator does.
#[cfg(unix)]
fn send_stop_signal() -> Result<()> {
    let id = std::process::id().to_string();
    let status = std::process::Command::new("kill")
        .args(["-s", "TERM", &id])
        .status()?;
    ensure!(status.success(), "kill ended with {status}");
    Ok(())
}

/// Windows has no SIGTERM: a service is told otherwise, and this example need not be told.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = Result<()>>> {
    Ok(async { Ok(()) })
}

#[cfg(not(unix))]
fn send_stop_signal() -> Result<()> {
    Ok(())
}
