//! Handlers that compute or block: they go to threads of their own, so that others are served meanwhile.
//!
//! `cargo run --example blocking` runs over `memory://`; with `RABBITMQ_URL` set, over that broker.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rpc_core::{Context, Rpc, rpc_service};
use tokio::task::spawn_blocking;

/// Looks for primes.
#[rpc_service(prefix = "primes.")]
trait Primes {
    /// How many there are below `limit`. As many run at a time as most machines have cores for.
    #[rpc(idempotent, concurrency = 4)]
    async fn below(&self, limit: u64) -> Result<u64, String>;
    /// Whether somebody is there.
    #[rpc(idempotent)]
    async fn ping(&self);
}

struct Sieve;

impl Primes for Sieve {
    async fn below(&self, limit: u64) -> Result<u64, String> {
        // Of this task, so it is read before another thread takes over.
        let call = Context::current();
        // When the call is over, the handler is dropped, but a thread cannot be: it has to look itself.
        let is_over = move || call.time_left().is_some_and(|left| left.is_zero());
        let counting = spawn_blocking(move || count(limit, is_over));
        let counted = counting.await.map_err(|error| error.to_string())?;
        counted.ok_or_else(|| "there was not enough time".into())
    }

    async fn ping(&self) {}
}

/// Counts slowly, until it is over.
fn count(limit: u64, is_over: impl Fn() -> bool) -> Option<u64> {
    let mut found = 0;
    for n in 2..limit {
        if n % 1024 == 0 && is_over() {
            println!("server: gave up at {n}");
            return None;
        }
        if (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0) {
            found += 1;
        }
    }
    Some(found)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let server = rpc.serve(PrimesServer::new(Sieve)).await?;
    let primes = PrimesClient::new(&rpc);

    let counting = tokio::spawn(primes.below(200_000));
    // This runtime has one thread. Had the handler kept it, nobody would be served until it was done.
    let start = Instant::now();
    primes.ping().await?;
    println!("client: a ping took {:.1?}", start.elapsed());
    let found = counting.await??;
    println!("client: {found} primes below 200000");
    ensure!(found == 17_984);

    let endless = primes.below(u64::MAX).timeout(Duration::from_millis(200));
    println!(
        "client: {}",
        endless.await.expect_err("nobody can count so far")
    );
    server.shutdown().await?;
    // Waits for the thread, which sees that its call is over.
    Ok(())
}
