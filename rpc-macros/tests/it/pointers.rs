//! A service may be shared, be behind a pointer, and be known only when the program runs.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rpc_core::{Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Lost(String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RpcError> for Lost {
    fn from(error: RpcError) -> Self {
        Self(error.method().to_owned())
    }
}

/// Methods of all forms: what is lent, a body, a future that outlives `&self`, a condition.
#[rpc_service(dyn_trait = DynCounter)]
trait Counter: fmt::Debug {
    async fn add(&self, name: &str, more: Option<&str>, rest: Cow<'_, str>) -> Result<u64, Lost>;
    async fn twice(&self, name: &str) -> Result<u64, Lost> {
        self.add(name, None, "".into()).await?;
        self.add(name, None, "".into()).await
    }
    fn total(&self) -> impl Future<Output = Result<u64, Lost>> + Send + 'static;
    fn soon(&self) -> impl Future<Output = Result<u64, Lost>> + Send;
    #[cfg(any())]
    async fn absent(&self, absent: Absent) -> Result<Absent, Absent>;
}

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Counter for Count {
    async fn add(&self, name: &str, more: Option<&str>, rest: Cow<'_, str>) -> Result<u64, Lost> {
        let bytes = name.len() + more.map_or(0, str::len) + rest.len();
        Ok(self.0.fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64)
    }
    fn total(&self) -> impl Future<Output = Result<u64, Lost>> + Send + 'static {
        std::future::ready(Ok(self.0.load(Ordering::SeqCst)))
    }
    async fn soon(&self) -> Result<u64, Lost> {
        self.total().await
    }
}

/// Overrides the body that the trait has.
#[derive(Debug)]
struct Constant;

impl Counter for Constant {
    async fn add(&self, _: &str, _: Option<&str>, _: Cow<'_, str>) -> Result<u64, Lost> {
        Err(Lost("constant".into()))
    }
    async fn twice(&self, _: &str) -> Result<u64, Lost> {
        Ok(2)
    }
    fn total(&self) -> impl Future<Output = Result<u64, Lost>> + Send + 'static {
        std::future::ready(Ok(0))
    }
    async fn soon(&self) -> Result<u64, Lost> {
        Ok(0)
    }
}

async fn count(counter: impl Counter) -> Result<u64, Lost> {
    counter.add("ab", Some("c"), "d".into()).await?;
    counter.twice("e").await?;
    assert_eq!(counter.soon().await, counter.total().await);
    counter.total().await
}

#[tokio::test]
async fn a_served_value_may_be_shared() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let shared = Arc::new(Count::default());
    rpc.serve(CounterServer::from(Arc::clone(&shared)))
        .await
        .unwrap();
    assert_eq!(count(CounterClient::new(&rpc)).await, Ok(6));
    assert_eq!(shared.0.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_pointer_is_a_service() {
    let shared = Arc::new(Count::default());
    assert_eq!(count(Arc::clone(&shared)).await, Ok(6));
    let rpc = Rpc::connect("memory://").await.unwrap();
    // Of the service's own type as well, for code that takes an `impl Counter`.
    rpc.serve(CounterServer::new(Arc::clone(&shared)))
        .await
        .unwrap();
    assert_eq!(count(CounterClient::new(&rpc)).await, Ok(12));
    assert_eq!(Arc::new(Constant).twice("x").await, Ok(2));
}

#[tokio::test]
async fn a_trait_object_is_a_service() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let local: Arc<dyn DynCounter> = Arc::new(Count::default());
    rpc.serve(CounterServer::from(Arc::clone(&local)))
        .await
        .unwrap();
    assert_eq!(local.twice("abc").await, Ok(6));

    let remote: Box<dyn DynCounter> = Box::new(CounterClient::new(&rpc));
    let constant: Arc<dyn DynCounter> = Arc::new(Constant);
    let mut totals = Vec::new();
    for counter in [local, remote.into(), constant] {
        // Its own body, not that of the trait.
        totals.push(counter.twice("x").await.unwrap());
        totals.push(counter.total().await.unwrap());
    }
    assert_eq!(totals, [8, 8, 10, 10, 2, 0]);

    let boxed: Box<dyn DynCounter> = Box::new(Constant);
    let error = count(boxed).await;
    assert_eq!(error, Err(Lost("constant".into())));
    let other = rpc.with_prefix("other.");
    let boxed: Box<dyn DynCounter> = Box::new(Count::default());
    other.serve(CounterServer::new(boxed)).await.unwrap();
    assert_eq!(count(CounterClient::new(&other)).await, Ok(6));
}

/// Parameters, a supertrait of one's own, methods that do not wait and have no error.
#[rpc_service(prefix = "shelf.", dyn_trait = DynShelf)]
trait Shelf<T: Clone, const N: usize = 2>: Labelled
where
    T: PartialEq,
{
    async fn find(&self, item: &T, near: Option<&T>) -> Option<[T; 1]>;
    fn size(&self) -> usize;
    async fn r#match(&self, r#type: T) -> bool;
}

trait Labelled {
    fn label(&self) -> &str;
}

struct Board<T>(Vec<T>);

impl<T> Labelled for Board<T> {
    fn label(&self) -> &str {
        "board"
    }
}

impl<T: Clone + PartialEq + Send + Sync + 'static, const N: usize> Shelf<T, N> for Board<T> {
    async fn find(&self, item: &T, near: Option<&T>) -> Option<[T; 1]> {
        let mut found = self.0.iter().filter(|other| *other == item);
        let found = found.next().or(near)?;
        Some([found.clone()])
    }
    fn size(&self) -> usize {
        self.0.len() * N
    }
    async fn r#match(&self, r#type: T) -> bool {
        self.0.contains(&r#type)
    }
}

#[tokio::test]
async fn a_trait_object_may_have_parameters() {
    let shelf: Arc<dyn DynShelf<u8>> = Arc::new(Board(vec![1, 2, 3]));
    assert_eq!((shelf.label(), shelf.size()), ("board", 6));
    assert_eq!(shelf.find(&9, Some(&4)).await, Some([4]));
    let rpc = Rpc::connect("memory://").await.unwrap();
    // `Arc` is not `Labelled`, and need not be.
    rpc.serve(ShelfServer::from(shelf)).await.unwrap();
    let client = ShelfClient::<u8>::new(&rpc);
    assert_eq!(client.find(&2, None).await, Ok(Some([2])));
    assert_eq!(client.size().await, Ok(6));
    assert_eq!(client.r#match(7).await, Ok(false));
}

/// An implementation for a pointer of one's own service is no conflict.
#[rpc_service(prefix = "own.")]
trait Own {
    async fn number(&self) -> u8;
}

struct Inner(u8);

impl Own for Arc<Inner> {
    async fn number(&self) -> u8 {
        self.0
    }
}

/// A client that is no implementation may be held by one.
struct Remote(OwnClient);

impl Own for Remote {
    async fn number(&self) -> u8 {
        self.0.number().await.unwrap_or(0)
    }
}

#[tokio::test]
async fn implementations_by_hand_are_no_conflict() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let remote = Remote(OwnClient::new(&rpc));
    assert_eq!(remote.number().await, 0);
    rpc.serve(OwnServer::new(Arc::new(Inner(7)))).await.unwrap();
    assert_eq!(remote.number().await, 7);
}
