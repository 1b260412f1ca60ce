use rpc_core::{Rpc, rpc_service};
use std::time::Instant;

#[rpc_service]
trait Store<T> {
    async fn keep(&self, value: T) -> Option<T>;
}

struct Shelf;

impl<T: Send + Sync + 'static> Store<T> for Shelf {
    async fn keep(&self, value: T) -> Option<T> {
        Some(value)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(StoreServer::<_, u8>::new(Shelf)).await?;
    let client = StoreClient::<Instant>::new(&rpc);
    client.keep(Instant::now()).await?;
    let client = StoreClient::<u8>::new(&rpc);
    assert_eq!(client.keep(3).await?, Some(3));
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
