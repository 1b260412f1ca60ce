//! What a caller gets from each kind of method, over a broker in this process.

use std::fmt;

use rpc_core::{CallError, Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::json;

mod bank {
    pub(crate) type Result<T, E = super::Refusal> = std::result::Result<T, E>;
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Refusal {
    TooMuch { limit: u32 },
    Closed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch { limit } => write!(f, "the limit is {limit}"),
            Self::Closed => f.write_str("the account is closed"),
        }
    }
}

#[rpc_service]
trait Bank {
    async fn balance(&self) -> u32;
    async fn audit(&self);
    async fn pay(&self, to: String, amount: u32) -> Result<(String, u32), Refusal>;
    async fn close(&self, now: Option<bool>) -> bank::Result<()>;
    async fn reopen(&self) -> bank::Result<u32, String>;
    async fn twice(&self, amount: u32) -> bank::Result<u32> {
        let (_, amount) = self.pay("myself".into(), amount).await?;
        Ok(2 * amount)
    }
}

struct Vault {
    limit: u32,
}

impl Bank for Vault {
    async fn balance(&self) -> u32 {
        self.limit
    }

    async fn audit(&self) {}

    async fn pay(&self, to: String, amount: u32) -> Result<(String, u32), Refusal> {
        if amount > self.limit {
            return Err(Refusal::TooMuch { limit: self.limit });
        }
        Ok((to, amount))
    }

    async fn close(&self, now: Option<bool>) -> bank::Result<()> {
        now.map(drop).ok_or(Refusal::Closed)
    }

    async fn reopen(&self) -> bank::Result<u32, String> {
        Err("never".into())
    }
}

async fn serve() -> (Rpc, BankClient) {
    let rpc = Rpc::connect("memory://").await.expect("needs no broker");
    let server = BankServer::new(Vault { limit: 9 });
    rpc.serve(server).await.expect("nothing else is served");
    let client = BankClient::new(&rpc);
    (rpc, client)
}

#[tokio::test]
async fn values_arrive() {
    let (_rpc, bank) = serve().await;
    assert_eq!(bank.balance().await, Ok(9));
    assert_eq!(bank.audit().await, Ok(()));
    assert_eq!(bank.pay("you".into(), 3).await, Ok(("you".into(), 3)));
    assert_eq!(bank.close(Some(true)).await, Ok(()));
    assert_eq!(bank.twice(4).await, Ok(8));
}

#[tokio::test]
async fn errors_arrive_as_the_very_value() {
    let (_rpc, bank) = serve().await;
    let too_much = Refusal::TooMuch { limit: 9 };
    let error = bank.pay("you".into(), 10).await.unwrap_err();
    assert_eq!(error, CallError::Service(too_much.clone()));
    let error = bank.twice(10).await.unwrap_err();
    assert_eq!(error, CallError::Service(too_much));
    let error = bank.close(None).await.unwrap_err();
    assert_eq!(error, CallError::Service(Refusal::Closed));
    let error = bank.reopen().await.unwrap_err();
    assert_eq!(error, CallError::Service("never".to_owned()));
}

#[tokio::test]
async fn arguments_go_by_name() {
    let (rpc, _bank) = serve().await;
    let answer = rpc.call("pay", json!({"amount": 1, "to": "me"})).await;
    assert_eq!(answer, Ok(json!(["me", 1])));
    let unknown = json!({"amount": 1, "to": "me", "when": "now"});
    let error = rpc.call("pay", unknown).await.unwrap_err();
    assert!(matches!(error, RpcError::Remote(_)), "{error}");
    let error = rpc.call("audit", json!({"all": true})).await.unwrap_err();
    assert!(matches!(error, RpcError::Remote(_)), "{error}");
}

#[tokio::test]
async fn calls_borrow_nothing() {
    let (_rpc, bank) = serve().await;
    let tasks: Vec<_> = (1..=9)
        .map(|amount| tokio::spawn(bank.clone().pay("you".into(), amount)))
        .collect();
    drop(bank);
    for (task, amount) in tasks.into_iter().zip(1..) {
        assert_eq!(task.await.unwrap(), Ok(("you".into(), amount)));
    }
}
