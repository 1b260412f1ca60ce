//! A shelf of anything: a service with parameters.

use core::fmt;

use wire::rpc_service;

/// Keeps at most `ROWS` things under their keys.
#[rpc_service(crate = wire, prefix = "shelf.")]
pub trait Shelf<K: Ord, V = String, const ROWS: usize = 2>: fmt::Debug
where
    V: Clone,
{
    /// Puts a thing there, and returns what it takes the place of; itself if there is no room.
    async fn put(&self, key: K, value: V) -> Option<V>;

    /// What is under a key.
    async fn get(&self, key: &K) -> Option<V>;

    /// Puts several there, or nothing by default.
    async fn fill(&self, #[serde(default)] pairs: Vec<(K, V)>) -> usize;

    /// All keys of these values.
    async fn keys(&self, values: &[V]) -> Vec<K>;

    /// How many rows there are.
    async fn rows(&self) -> [usize; 1] {
        [ROWS]
    }
}
