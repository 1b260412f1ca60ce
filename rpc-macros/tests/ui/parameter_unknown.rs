use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Store<T> {
    async fn put(&self, value: T) -> Option<T>;
    async fn len(&self) -> u32;
}

struct Shelf;

impl Store<u8> for Shelf {
    async fn put(&self, value: u8) -> Option<u8> {
        Some(value)
    }
    async fn len(&self) -> u32 {
        3
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(StoreServer::new(Shelf)).await?;
    let client = StoreClient::new(&rpc);
    assert_eq!(client.put(3_u8).await?, Some(3));
    let client = StoreClient::new(&rpc);
    assert_eq!(client.len().await?, 3);
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
