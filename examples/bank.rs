//! A payment service that runs inside a bank, and its client outside.
//!
//! Nobody may connect into the bank's network, but the service may call out to a broker; there it meets
//! its callers. `cargo run --example bank` runs both in this process, over `memory://`; with
//! `RABBITMQ_URL` set they meet at that broker.

use std::collections::HashMap;
use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rpc_core::{CallError, Context, Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// Accounts and payments.
#[rpc_service(prefix = "bank.")]
trait Bank {
    /// What is on an account, in cents.
    #[rpc(idempotent)]
    async fn balance(&self, account: &str) -> Result<u64, BankError>;
    /// Moves money, and returns what is left on the first account.
    async fn transfer(&self, from: &str, to: &str, cents: u64) -> Result<u64, BankError>;
    /// Writes a statement, which takes a while.
    #[rpc(timeout = "200ms")]
    async fn statement(&self, account: &str) -> Result<String, BankError>;
}

/// Why the bank refuses.
#[derive(Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
enum BankError {
    #[error("no account `{0}`")]
    NoSuchAccount(String),
    #[error("{needed} cents needed, {available} available")]
    InsufficientFunds { needed: u64, available: u64 },
    #[error("the bank cannot be reached: {0}")]
    Unreachable(String),
}

/// With it a client is a `Bank`, too.
impl From<RpcError> for BankError {
    fn from(error: RpcError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// Takes the bank itself, its client, or a test's own.
async fn both(bank: &impl Bank, one: &str, other: &str) -> Result<u64, BankError> {
    Ok(bank.balance(one).await? + bank.balance(other).await?)
}

struct Vault(Mutex<HashMap<String, u64>>);

impl Bank for Vault {
    async fn balance(&self, account: &str) -> Result<u64, BankError> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let balance = accounts.get(account).copied();
        balance.ok_or_else(|| BankError::NoSuchAccount(account.into()))
    }

    async fn transfer(&self, from: &str, to: &str, cents: u64) -> Result<u64, BankError> {
        if let Some(teller) = Context::current().header("teller") {
            println!("bank:   {teller} moves {cents} cents from {from} to {to}");
        }
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let balance = |account: &str| {
            let balance = accounts.get(account).copied();
            balance.ok_or_else(|| BankError::NoSuchAccount(account.into()))
        };
        let (available, _) = (balance(from)?, balance(to)?);
        if cents > available {
            let needed = cents;
            return Err(BankError::InsufficientFunds { needed, available });
        }
        // One after the other: the two may be the same account.
        *accounts.entry(from.into()).or_default() -= cents;
        *accounts.entry(to.into()).or_default() += cents;
        Ok(accounts[from])
    }

    async fn statement(&self, account: &str) -> Result<String, BankError> {
        sleep(Duration::from_secs(60)).await;
        Ok(format!("all about {account}"))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let broker = env::var("RABBITMQ_URL").unwrap_or_else(|_| "memory://bank".into());

    // Inside the bank.
    let inside = Rpc::connect(&broker).await?;
    let accounts = HashMap::from([("ada".to_owned(), 1000), ("bob".to_owned(), 0)]);
    let vault = Vault(Mutex::new(accounts));
    let server = inside.serve(BankServer::new(vault)).await?;

    // Outside.
    let outside = Rpc::connect(&broker).await?;
    let bank = BankClient::new(&outside);
    let transfer = bank.transfer("ada", "bob", 700).header("teller", "Eve");
    println!("client: ada has {} cents left", transfer.await?);
    // To oneself it changes nothing.
    ensure!(bank.transfer("bob", "bob", 700).await? == 700);

    match bank.transfer("ada", "bob", 700).await {
        Err(CallError::Service(BankError::InsufficientFunds { needed, available })) => {
            println!("client: refused, {needed} needed and {available} there");
        }
        other => bail!("expected to be refused, got {other:?}"),
    }
    let late = bank.statement("ada").await.expect_err("it takes a minute");
    println!("client: {late}");
    println!("client: {} cents in all", both(&bank, "ada", "bob").await?);

    outside.close().await;
    server.shutdown().await?;
    Ok(())
}
