use rpc_core::rpc_service;

#[rpc_service]
trait Shop {
    async fn price(&self, item: String) -> u32;
    async fn close(&self);
}

struct Shelf;

impl Shop for Shelf {
    async fn close(&self) {}
}

fn main() {}
