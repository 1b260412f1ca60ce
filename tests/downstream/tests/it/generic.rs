//! A service with parameters.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Mutex;

use rpc_downstream::wire::Rpc;
use rpc_downstream::{Parcel, Shelf, ShelfClient, ShelfServer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::site::on_both;

#[derive(Debug)]
struct Board<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Board<K, V> {
    fn new() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V, const ROWS: usize> Shelf<K, V, ROWS> for Board<K, V>
where
    K: Ord + Clone + Debug + Send + Sync + 'static,
    V: Clone + PartialEq + Debug + Send + Sync + 'static,
{
    async fn put(&self, key: K, value: V) -> Option<V> {
        let mut things = self.0.lock().unwrap();
        if things.len() < ROWS || things.contains_key(&key) {
            things.insert(key, value)
        } else {
            Some(value)
        }
    }

    async fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap().get(key).cloned()
    }

    async fn fill(&self, pairs: Vec<(K, V)>) -> usize {
        let mut things = self.0.lock().unwrap();
        things.extend(pairs);
        things.len()
    }

    async fn keys(&self, values: &[V]) -> Vec<K> {
        let things = self.0.lock().unwrap();
        let found = things.iter().filter(|(_, value)| values.contains(value));
        found.map(|(key, _)| key.clone()).collect()
    }
}

/// Code over any shelf of two rows.
async fn fill_up<K, V>(rpc: &Rpc, pairs: [(K, V); 3])
where
    K: Ord + Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static,
    V: Clone + PartialEq + Debug + Send + Sync + Serialize + DeserializeOwned + 'static,
{
    rpc.serve(ShelfServer::<_, K, V>::new(Board::<K, V>::new()))
        .await
        .unwrap();
    let shelf = ShelfClient::<K, V>::new(rpc);
    let [(a, one), (b, two), (c, three)] = pairs;
    assert_eq!(shelf.put(a.clone(), one.clone()).await, Ok(None));
    assert_eq!(
        shelf.put(a.clone(), two.clone()).await,
        Ok(Some(one.clone()))
    );
    assert_eq!(shelf.put(b.clone(), one.clone()).await, Ok(None));
    assert_eq!(shelf.put(c.clone(), three.clone()).await, Ok(Some(three)));
    assert_eq!(shelf.get(&a).await, Ok(Some(two.clone())));
    assert_eq!(shelf.get(&c).await, Ok(None));
    assert_eq!(shelf.fill(Vec::new()).await, Ok(2));
    assert_eq!(shelf.keys(&[one]).await, Ok(vec![b]));
    assert_eq!(shelf.rows().await, Ok([2]));
}

on_both! {
    async fn a_service_may_have_parameters(site) {
        let rpc = site.rpc().await;
        for prefix in ["numbers.", "parcels."] {
            site.uses(prefix, &ShelfClient::<u8>::DESCRIPTOR).await;
        }
        fill_up(&rpc.with_prefix("numbers."), [(1u8, 1i64), (2, 2), (3, 3)]).await;
        let parcel = |weight| Parcel { contents: String::new(), weight };
        let key = |text: &str| Some(text.to_owned());
        let pairs = [(key("a"), parcel(1)), (key("b"), parcel(2)), (None, parcel(3))];
        fill_up(&rpc.with_prefix("parcels."), pairs).await;
    }

    async fn parameters_may_have_defaults_and_be_numbers(site) {
        let rpc = site.rpc().await;
        site.uses("", &ShelfClient::<u8>::DESCRIPTOR).await;
        rpc.serve(ShelfServer::<_, u8, String, 1>::new(Board::<u8, String>::new())).await.unwrap();
        let shelf = ShelfClient::<u8, String, 1>::new(&rpc).clone();
        assert_eq!(shelf.put(1, "one".into()).await, Ok(None));
        assert_eq!(shelf.put(2, "two".into()).await, Ok(Some("two".into())));
        assert_eq!(shelf.rows().await, Ok([1]));
        let two_rows: ShelfClient<u8> = (&rpc).into();
        assert_eq!(two_rows.get(&1).await, Ok(Some("one".into())));
        assert!(format!("{two_rows:?}").starts_with("ShelfClient"));
    }
}
