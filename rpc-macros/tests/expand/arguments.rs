/// Arguments that are lent, that may be absent, and that serde has a say in.
#[rpc_service]
trait Shop {
    async fn find(&self, text: &str, shelf: Option<&str>, limit: Option<u32>) -> Vec<String>;

    async fn label(&self, text: Cow<'_, str>) -> String;

    async fn order(
        &self,
        item: &str,
        #[serde(default)] count: u32,
        #[serde(rename = "in")] place: Option<String>,
    ) -> bool;
}
