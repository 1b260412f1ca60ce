//! Many calls at once: all at the same time, or so many at a time.
//!
//! `cargo run --release --example fan_out` runs over `memory://`; with `RABBITMQ_URL` set, over that broker.

use std::env;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rpc_core::{Rpc, rpc_service};

const CALLS: u32 = 10_000;

/// Arithmetic.
#[rpc_service(prefix = "fan_out.")]
trait Squares {
    /// The square of `n`.
    #[rpc(idempotent)]
    async fn square(&self, n: u32) -> u64;
}

struct Table;

impl Squares for Table {
    async fn square(&self, n: u32) -> u64 {
        u64::from(n).pow(2)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://".into());
    let rpc = Rpc::connect(broker).await?;
    let server = rpc.serve(SquaresServer::new(Table)).await?;
    let client = SquaresClient::new(&rpc);
    let expected: u64 = (0..CALLS).map(|n| u64::from(n).pow(2)).sum();

    // All of them; the first failure ends it.
    let start = Instant::now();
    let squares = try_join_all((0..CALLS).map(|n| client.square(n))).await?;
    ensure!(squares.iter().sum::<u64>() == expected);
    report("all at once", start);

    // At most 100 at a time, where the other end or the memory of this one is to be spared.
    let start = Instant::now();
    let sum = stream::iter(0..CALLS)
        .map(|n| client.square(n))
        .buffer_unordered(100)
        .try_fold(0, |sum, square| async move { Ok(sum + square) })
        .await?;
    ensure!(sum == expected);
    report("100 at a time", start);

    // Every outcome, good or bad, in the order of the calls.
    let outcomes = join_all((0..3).map(|n| client.square(n))).await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(square) => println!("{n} squared is {square}"),
            Err(error) => println!("{n}: {error}"),
        }
    }
    server.shutdown().await?;
    Ok(())
}

fn report(what: &str, start: Instant) {
    let took = start.elapsed().as_secs_f64();
    println!(
        "{what}: {CALLS} calls in {took:.2} s, {:.0} a second",
        f64::from(CALLS) / took
    );
}
