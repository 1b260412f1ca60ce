use std::rc::Rc;

use rpc_core::rpc_service;

#[rpc_service]
trait Shop {
    async fn price(&self, item: String) -> u32;
    async fn close(&self);
}

struct Shelf;

impl Shop for Shelf {
    async fn price(&self, item: String) -> u32 {
        let item = Rc::new(item);
        std::future::ready(()).await;
        item.len() as u32
    }

    async fn close(&self) {
        let item = Rc::new(3);
        std::future::ready(item).await;
    }
}

fn main() {}
