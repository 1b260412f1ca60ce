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
use rpc_core::{CallError, Context, Rpc, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

/// Accounts and payments.
#[rpc_service]
trait Bank {
    /// What is on an account, in cents.
    async fn balance(&self, account: String) -> Result<u64, BankError>;
    /// Moves money, and returns what is left on the first account.
    async fn transfer(&self, from: String, to: String, cents: u64) -> Result<u64, BankError>;
    /// Writes a statement, which takes a while.
    async fn statement(&self, account: String) -> String;
}

/// Why the bank refuses.
#[derive(Debug, Deserialize, PartialEq, Serialize, thiserror::Error)]
enum BankError {
    #[error("no account `{account}`")]
    NoSuchAccount { account: String },
    #[error("{needed} cents needed, {available} available")]
    InsufficientFunds { needed: u64, available: u64 },
}

struct Vault(Mutex<HashMap<String, u64>>);

impl Bank for Vault {
    async fn balance(&self, account: String) -> Result<u64, BankError> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let balance = accounts.get(&account).copied();
        balance.ok_or(BankError::NoSuchAccount { account })
    }

    async fn transfer(&self, from: String, to: String, cents: u64) -> Result<u64, BankError> {
        if let Some(teller) = Context::current().header("teller") {
            println!("bank:   {teller} moves {cents} cents from {from} to {to}");
        }
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let available = accounts.get(&from).copied().unwrap_or_default();
        let Some(left) = available.checked_sub(cents) else {
            return Err(BankError::InsufficientFunds {
                needed: cents,
                available,
            });
        };
        let Some(receiver) = accounts.get_mut(&to) else {
            return Err(BankError::NoSuchAccount { account: to });
        };
        *receiver += cents;
        accounts.insert(from, left);
        Ok(left)
    }

    async fn statement(&self, account: String) -> String {
        sleep(Duration::from_secs(60)).await;
        format!("all about {account}")
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
    let left = bank
        .transfer("ada".into(), "bob".into(), 700)
        .header("teller", "Eve")
        .await?;
    println!("client: ada has {left} cents left");

    match bank.transfer("ada".into(), "bob".into(), 700).await {
        Err(CallError::Service(BankError::InsufficientFunds { needed, available })) => {
            println!("client: refused, {needed} needed and {available} there");
        }
        other => bail!("expected to be refused, got {other:?}"),
    }

    let statement = bank
        .statement("ada".into())
        .timeout(Duration::from_millis(200));
    println!(
        "client: {}",
        statement.await.expect_err("it takes a minute")
    );

    // What a program without the trait does, in any language.
    let balance = outside.call("balance", json!({"account": "bob"})).await?;
    println!("client: bob has {balance} cents");
    ensure!(balance == json!(700), "the money is gone");

    outside.close().await;
    server.shutdown().await?;
    Ok(())
}
