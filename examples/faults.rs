//! Tests with faults: what a program does when its broker is down, a reply is lost or a connection breaks.
//!
//! `cargo run --example faults` goes through one of them; `cargo test -p examples --example faults` runs the
//! tests. The clock is paused in those, so that thirty seconds of outage take none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rpc_core::{MemoryBroker, Rpc, rpc_service};
use tokio::time::sleep;

/// Counts.
#[rpc_service]
trait Counter {
    /// Says how many there are. It changes nothing, so it may run again.
    #[rpc(idempotent)]
    async fn total(&self) -> u64;
    /// Adds one.
    async fn add(&self) -> Result<u64, String>;
}

struct Shelf(AtomicU64);

impl Counter for Shelf {
    async fn total(&self) -> u64 {
        sleep(Duration::from_secs(1)).await;
        self.0.load(Ordering::Relaxed)
    }

    async fn add(&self) -> Result<u64, String> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A broker of its own for each test, a server, and a client on a connection of its own.
async fn set_up(name: &str) -> Result<(MemoryBroker, Rpc, CounterClient)> {
    let broker = MemoryBroker::named(name);
    let server = Rpc::connect(format!("memory://{name}")).await?;
    server.serve(CounterServer::new(Shelf(0.into()))).await?;
    let client = CounterClient::new(&Rpc::connect(format!("memory://{name}")).await?);
    Ok((broker, server, client))
}

#[tokio::main]
async fn main() -> Result<()> {
    let (broker, _server, counter) = set_up("main").await?;
    broker.stop();
    println!("the broker is down");
    let call = tokio::spawn(counter.total());
    sleep(Duration::from_millis(300)).await;
    broker.start();
    println!("the broker is up again");
    println!("the call that was made meanwhile: {}", call.await??);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rpc_core::{CallError, RpcError};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_until_the_broker_is_back() {
        let (broker, _server, counter) = set_up("back").await.unwrap();
        broker.stop();
        let call = tokio::spawn(counter.add());
        sleep(Duration::from_secs(20)).await;
        broker.start();
        assert_eq!(call.await.unwrap(), Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_ever() {
        let (broker, _server, counter) = set_up("down").await.unwrap();
        broker.stop();
        let start = Instant::now();
        let error = counter.add().await.unwrap_err();
        assert!(
            matches!(error, CallError::Rpc(RpcError::NotConnected { .. })),
            "{error}"
        );
        assert!(start.elapsed() >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_reply_leaves_it_open_whether_the_call_ran() {
        let (broker, _server, counter) = set_up("reply").await.unwrap();
        broker.lose_replies(1);
        let error = counter.add().await.unwrap_err();
        assert!(
            matches!(error, CallError::Rpc(RpcError::Timeout { .. })),
            "{error}"
        );
        // It did run, so to call again would be to add twice.
        assert_eq!(counter.total().await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_costs_an_idempotent_call_only_time() {
        let (broker, _server, counter) = set_up("cut").await.unwrap();
        let call = tokio::spawn(counter.total());
        sleep(Duration::from_millis(500)).await;
        broker.drop_connections();
        assert_eq!(call.await.unwrap(), Ok(0));
    }
}
