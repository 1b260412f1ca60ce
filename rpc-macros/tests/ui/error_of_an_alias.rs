use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn look_up(&self) -> anyhow::Result<u32>;
}

mod anyhow {
    pub type Result<T> = core::result::Result<T, Error>;

    #[derive(Debug)]
    pub struct Error;

    impl std::fmt::Display for Error {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an error of any kind")
        }
    }
}

struct Shelf;

impl Shop for Shelf {
    async fn look_up(&self) -> anyhow::Result<u32> {
        Err(anyhow::Error)
    }
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    let _ = client.look_up().await;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
