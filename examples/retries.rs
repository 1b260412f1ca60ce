//! When a call may be made again: the library does so for idempotent methods, its caller for the rest.
//!
//! `cargo run --example retries`. It runs over `memory://` only, whose broker can be told to fail.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rpc_core::{CallError, MemoryBroker, Rpc, rpc_service};
use tokio::time::sleep;

/// Takes money.
#[rpc_service(prefix = "till.")]
trait Till {
    /// Takes an amount, and returns what there is then. To run it twice would be to take it twice.
    async fn take(&self, cents: u64) -> Result<u64, String>;
    /// Takes the amount of a payment once, however often it is called with the payment's name: so it is idempotent.
    #[rpc(idempotent)]
    async fn take_once(&self, payment: &str, cents: u64) -> Result<u64, String>;
}

#[derive(Default)]
struct Drawer {
    cents: u64,
    /// The names of the payments that were taken once.
    payments: HashSet<String>,
}

struct Register(Mutex<Drawer>);

impl Register {
    fn add(&self, cents: u64, payment: Option<&str>) -> Result<u64, String> {
        let mut drawer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = drawer.cents.checked_add(cents);
        let sum = sum.ok_or("the drawer is full")?;
        if payment.is_none_or(|name| drawer.payments.insert(name.into())) {
            drawer.cents = sum;
        }
        Ok(drawer.cents)
    }
}

impl Till for Register {
    async fn take(&self, cents: u64) -> Result<u64, String> {
        self.add(cents, None)
    }

    async fn take_once(&self, payment: &str, cents: u64) -> Result<u64, String> {
        let sum = self.add(cents, Some(payment));
        // Long enough for the connection to break meanwhile.
        sleep(Duration::from_millis(200)).await;
        sum
    }
}

/// Takes an amount of which it must be known that it was taken once.
///
/// A call that did not run is made again. One that may have run is not: somebody has to look.
async fn take(till: &TillClient, cents: u64) -> Result<u64> {
    let mut pause = Duration::from_millis(50);
    loop {
        match till.take(cents).timeout(Duration::from_millis(500)).await {
            Ok(sum) => return Ok(sum),
            Err(error) if error.is_retryable() && pause < Duration::from_secs(1) => {
                println!("again, it did not run: {error}");
                sleep(pause).await;
                pause *= 2;
            }
            Err(error) if error.may_have_run() => bail!("not again, it may have run: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = MemoryBroker::named("retries");
    let server = Rpc::connect("memory://retries").await?;
    let register = Register(Mutex::new(Drawer::default()));
    server.serve(TillServer::new(register)).await?;
    let till = TillClient::new(&Rpc::connect("memory://retries").await?);

    // The broker takes no calls for a while: they end unsent.
    broker.block("no disk space");
    let early = tokio::spawn({
        let till = till.clone();
        async move { take(&till, 100).await }
    });
    sleep(Duration::from_millis(700)).await;
    broker.unblock();
    println!("taken: {}", early.await??);

    // The server runs the call, and its answer is lost.
    broker.lose_replies(1);
    match take(&till, 100).await {
        Err(error) => println!("{error}"),
        Ok(sum) => bail!("expected no answer, got {sum}"),
    }

    // Connections break while an idempotent call runs: it is sent again, and its caller sees nothing of it.
    let call = tokio::spawn(till.take_once("invoice 7", 100));
    sleep(Duration::from_millis(100)).await;
    broker.drop_connections();
    println!("taken: {}", call.await??);

    // A time limit ends an idempotent call, too. Its caller may call again with the same name.
    broker.lose_replies(1);
    let limit = Duration::from_millis(500);
    let sum = loop {
        match till.take_once("invoice 8", 100).timeout(limit).await {
            Err(CallError::Rpc(error)) if error.is_timeout() => println!("again: {error}"),
            outcome => break outcome?,
        }
    };
    println!("taken: {sum}");
    ensure!(sum == 400);
    Ok(())
}
