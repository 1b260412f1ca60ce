//! A client stands for its service where its errors can tell that a call failed.

use std::fmt;

use rpc_core::{Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum BankError {
    Short { missing: u64 },
    Unreachable(String),
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<RpcError> for BankError {
    fn from(error: RpcError) -> Self {
        Self::Unreachable(error.method().to_owned())
    }
}

type Result<T, E = BankError> = std::result::Result<T, E>;

#[rpc_service(prefix = "bank.")]
trait Bank: fmt::Debug {
    async fn pay(&self, to: &str, cents: u64) -> Result<u64, BankError>;
    async fn balance(&self) -> Result<u64>;
    #[cfg(any())]
    async fn absent(&self) -> Result<Absent, Absent>;
}

#[derive(Debug)]
struct Vault;

impl Bank for Vault {
    async fn pay(&self, _: &str, cents: u64) -> Result<u64> {
        match cents {
            ..100 => Ok(100 - cents),
            _ => Err(BankError::Short {
                missing: cents - 100,
            }),
        }
    }
    async fn balance(&self) -> Result<u64> {
        Ok(100)
    }
}

async fn spend(bank: &impl Bank) -> Result<u64> {
    bank.pay("ann", 30).await?;
    bank.balance().await?;
    bank.pay("bob", 130).await
}

#[tokio::test]
async fn a_client_is_an_implementation() {
    let short = Err(BankError::Short { missing: 30 });
    assert_eq!(spend(&Vault).await, short);
    let rpc = Rpc::connect("memory://").await.unwrap();
    let server = rpc.serve(BankServer::new(Vault)).await.unwrap();
    assert_eq!(spend(&BankClient::new(&rpc)).await, short);
    assert_eq!(rpc.call("bank.balance", ()).await, Ok(json!(100)));
    // A client can be served too, as where one broker is reached through another.
    let outer = rpc.with_prefix("outer.");
    let relay = BankServer::new(BankClient::new(&rpc));
    outer.serve(relay).await.unwrap();
    assert_eq!(spend(&BankClient::new(&outer)).await, short);
    // What fails on the way is the service's own error, as its signature says.
    server.shutdown().await.unwrap();
    let bank = BankClient::new(&rpc.with_prefix("nowhere."));
    let unreachable = BankError::Unreachable("nowhere.bank.balance".into());
    assert_eq!(Bank::balance(&bank).await, Err(unreachable));
}
