use rpc_core::{Rpc, rpc_service};
use std::rc::Rc;

#[rpc_service]
trait Store<T> {
    async fn keep(&self, value: T) -> Option<T>;
}

struct Shelf;

impl Store<u8> for Shelf {
    async fn keep(&self, value: u8) -> Option<u8> {
        Some(value)
    }
}

impl Store<Rc<u8>> for Shelf {
    fn keep(&self, _: Rc<u8>) -> impl Future<Output = Option<Rc<u8>>> + Send {
        async { None }
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(StoreServer::<_, Rc<u8>>::new(Shelf)).await?;
    server.shutdown().await?;
    let server = rpc.serve(StoreServer::<_, u8>::new(Shelf)).await?;
    let client = StoreClient::<u8>::new(&rpc);
    assert_eq!(client.keep(3).await?, Some(3));
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
