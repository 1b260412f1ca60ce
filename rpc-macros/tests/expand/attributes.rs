/// Words of Rust as names, conditions, and a method with a body.
#[rpc_service]
pub(crate) trait Catalogue {
    /// Finds the items of a type.
    #[deprecated = "use `search`"]
    async fn r#match(&self, r#type: String) -> Vec<Item>;

    #[cfg(feature = "stock")]
    #[must_use]
    async fn stock(&self, item: Item) -> u32 {
        self.search(item.name).await.len() as u32
    }

    #[doc(hidden)]
    async fn search(&self, text: String) -> Vec<Item>;
}
