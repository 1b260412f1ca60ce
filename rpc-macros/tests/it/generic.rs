//! A trait with parameters, over a broker in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use rpc_core::{Rpc, rpc_service};
use serde::{Serialize, de::DeserializeOwned};

/// A service of any kind of value.
#[rpc_service]
trait Store<K: Ord + Clone, V = String, const N: usize = 2>: fmt::Debug
where
    V: PartialEq,
{
    async fn put(&self, key: K, value: V) -> Option<V>;
    async fn get(&self, key: &K) -> Option<V>;
    async fn sizes(&self) -> [usize; 1];
    async fn put_default(&self, key: K, #[serde(default)] value: Option<V>) -> bool;
}

#[derive(Debug, Default)]
struct Shelf<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Shelf<K, V> {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<K, V>> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl<K, V> Store<K, V> for Shelf<K, V>
where
    K: Ord + Clone + fmt::Debug + Send + Sync + 'static + Serialize + DeserializeOwned,
    V: Clone + PartialEq + fmt::Debug + Send + Sync + 'static + Serialize + DeserializeOwned,
{
    async fn put(&self, key: K, value: V) -> Option<V> {
        self.locked().insert(key, value)
    }
    async fn get(&self, key: &K) -> Option<V> {
        self.locked().get(key).cloned()
    }
    async fn sizes(&self) -> [usize; 1] {
        [self.locked().len()]
    }
    async fn put_default(&self, key: K, value: Option<V>) -> bool {
        value.is_some_and(|value| self.locked().insert(key, value).is_some())
    }
}

#[tokio::test]
async fn services_may_have_parameters() {
    let rpc = Rpc::connect("memory://").await.unwrap();
    let numbers = rpc.with_prefix("numbers.");
    numbers
        .serve(StoreServer::new(Shelf::<u8, u64>::default()))
        .await
        .unwrap();
    rpc.serve(StoreServer::new(Shelf::<String, String>::default()))
        .await
        .unwrap();
    let store = StoreClient::<u8, u64>::new(&numbers);
    assert_eq!(store.put(1, 2).await, Ok(None));
    assert_eq!(store.clone().get(&1).await, Ok(Some(2)));
    assert_eq!(store.put_default(1, Some(4)).await, Ok(true));
    assert_eq!(store.sizes().await, Ok([1]));
    let store = StoreClient::<String>::new(&rpc);
    assert_eq!(store.put("a".into(), "b".into()).await, Ok(None));
    assert!(format!("{store:?}").starts_with("StoreClient"));
}
