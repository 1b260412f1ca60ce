use rpc_core::rpc_service;

trait Shop {
    #[rpc_service]
    async fn price(&self, item: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    #[rpc_service]
    async fn price(&self, item: String) -> u32 {
        item.len() as u32
    }
}

fn main() {
    let _ = Shelf.price("tea".into());
}
