use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    async fn look_up(&self) -> http::Result<u32>;
}

mod http {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Result<T>(pub T);
}

struct Shelf;

impl Shop for Shelf {
    async fn look_up(&self) -> http::Result<u32> {
        http::Result(200)
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
