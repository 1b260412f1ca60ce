//! Methods that are no `async fn`.

use rpc_core::{CallError, Rpc, rpc_service};
use serde_json::json;

type Result<T> = std::result::Result<T, String>;

#[rpc_service(prefix = "till.")]
trait Till {
    fn version(&self) -> String;
    fn ring(&self);
    fn pay(&self, to: &str, #[serde(default)] cents: u64) -> Result<u64>;
    fn refund(&self, cents: u64) -> std::result::Result<u64, String> {
        self.pay("refund", cents)
    }
    #[rpc(one_way)]
    fn note(&self, _line: Option<&str>) {}
    async fn balance(&self) -> u64 {
        self.version().len() as u64
    }
}

struct Drawer;

impl Till for Drawer {
    fn version(&self) -> String {
        "1.2".into()
    }
    fn ring(&self) {}
    fn pay(&self, to: &str, cents: u64) -> Result<u64> {
        cents.checked_sub(10).ok_or_else(|| to.to_owned())
    }
}

#[tokio::test]
async fn a_method_need_not_be_async() {
    assert_eq!(Drawer.version(), "1.2");
    let rpc = Rpc::connect("memory://").await.unwrap();
    rpc.serve(TillServer::new(Drawer)).await.unwrap();
    let till = TillClient::new(&rpc);
    assert_eq!(till.version().await.unwrap(), "1.2");
    assert_eq!(till.ring().await, Ok(()));
    assert_eq!(till.pay("ann", 30).await, Ok(20));
    let error = till.pay("ann", 3).await.unwrap_err();
    assert_eq!(error, CallError::Service("ann".into()));
    let error = till.refund(3).await.unwrap_err();
    assert_eq!(error, CallError::Service("refund".into()));
    till.note(None).await.unwrap();
    assert_eq!(till.balance().await, Ok(3));
    let version = rpc.call("till.version", json!({})).await;
    assert_eq!(version, Ok(json!("1.2")));
}
