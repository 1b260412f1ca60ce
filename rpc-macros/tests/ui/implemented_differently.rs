use rpc_core::rpc_service;

#[rpc_service]
trait Shop {
    async fn price(&self, item: String) -> u32;
    async fn stock(&self, item: String) -> u32;
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: u32) -> u32 {
        item
    }

    async fn stock(&self, item: String) -> u64 {
        item.len() as u64
    }
}

fn main() {}
