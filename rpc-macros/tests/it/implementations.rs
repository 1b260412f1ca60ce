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

/// Results that name the parameters of the trait, of methods that may be absent, and a future that says more.
#[rpc_service(prefix = "store.")]
trait Store<T, const N: usize = 1>: Clone {
    async fn keep(&self, value: T) -> Result<T, Kept<T>>;
    #[cfg(not(any()))]
    async fn hand_back(&self, value: T) -> Result<[T; 1], Kept<T>>;
    #[cfg_attr(all(), cfg(any()))]
    async fn absent(&self, value: T) -> Result<[T; N], Absent<T>>;
    async fn named(&self, value: T) -> kept::Result<T>;
    fn last(&self) -> impl Future<Output = Result<usize, Kept<T>>> + Send + 'static;
}

mod kept {
    pub(super) type Result<T> = std::result::Result<T, super::Kept<T>>;
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Kept<T>(Option<T>);

impl<T> fmt::Display for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kept")
    }
}

impl<T> From<RpcError> for Kept<T> {
    fn from(_: RpcError) -> Self {
        Self(None)
    }
}

#[derive(Clone)]
struct Shelf;

impl<T: Send + Sync + 'static> Store<T> for Shelf {
    async fn keep(&self, value: T) -> Result<T, Kept<T>> {
        Err(Kept(Some(value)))
    }
    async fn hand_back(&self, value: T) -> Result<[T; 1], Kept<T>> {
        Ok([value])
    }
    async fn named(&self, value: T) -> kept::Result<T> {
        Ok(value)
    }
    fn last(&self) -> impl Future<Output = Result<usize, Kept<T>>> + Send + 'static {
        std::future::ready(Ok(3))
    }
}

#[tokio::test]
async fn a_client_with_parameters_is_an_implementation() {
    async fn keep(store: &impl Store<u8>) -> ([Result<u8, Kept<u8>>; 3], Result<usize, Kept<u8>>) {
        let back = store.hand_back(1).await.map(|[value]| value);
        let each = [store.keep(2).await, back, store.named(3).await];
        (each, store.last().await)
    }

    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(StoreServer::<_, u8>::new(Shelf)).await.unwrap();
    let client = StoreClient::<u8>::new(&rpc);
    assert_eq!(keep(&Shelf).await.0, [Err(Kept(Some(2))), Ok(1), Ok(3)]);
    assert_eq!(keep(&client).await, keep(&Shelf).await);
}
