/// Parameters, and a client that is the service itself.
#[rpc_service]
pub trait Store<K: Ord, V = String>: Debug
where
    V: Clone,
{
    async fn get(&self, key: &K) -> Result<V, StoreError>;

    fn put(&self, key: K, value: V) -> impl Future<Output = Result<(), StoreError>> + Send;
}
