use rpc_core::{Rpc, rpc_service};

#[rpc_service]
trait Shop {
    #[rpc(one_way = "yes")]
    async fn close(&self);
}

struct Shelf;

impl Shop for Shelf {
    async fn close(&self) {}
}

async fn run(rpc: Rpc) -> Result<(), Box<dyn std::error::Error>> {
    let server = rpc.serve(ShopServer::new(Shelf)).await?;
    let client = ShopClient::new(&rpc);
    client.close().await?;
    server.shutdown().await?;
    Ok(())
}

fn main() {
    let _ = run;
}
