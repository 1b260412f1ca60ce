use rpc_core::rpc_service;

#[rpc_service]
struct Shelf {
    items: Vec<String>,
}

fn main() {
    let shelf = Shelf { items: Vec::new() };
    assert!(shelf.items.is_empty());
}
