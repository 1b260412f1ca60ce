//! Every way to pass arguments, over a broker in this process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;

use rpc_core::{CallError, Rpc, RpcError, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Item {
    name: String,
}

/// Arguments that borrow, that may be absent, and that serde has a say in.
#[rpc_service]
trait Arguments {
    async fn text(&self, text: &str) -> String;
    async fn slice(&self, bytes: &[u8], items: &[Item]) -> usize;
    async fn reference(&self, item: &Item, count: &u32) -> String;
    async fn cow(&self, text: Cow<'_, str>, bytes: Cow<'_, [u8]>) -> String;
    async fn fixed(&self, text: Cow<'static, str>) -> String;
    async fn option(&self, a: Option<u8>, b: Option<&str>, c: Option<&[u8]>) -> Value;
    async fn raw(&self, r#type: u8, r#in: &str) -> String;
    async fn defaults(
        &self,
        a: u8,
        #[serde(default)] b: u8,
        #[serde(default = "seven")] c: u8,
    ) -> u8;
    async fn renamed(&self, #[serde(rename = "from")] sender: &str, to: Option<&str>) -> String;
    async fn nested(&self, a: Option<Option<u8>>, #[serde(default)] b: Option<Option<u8>>)
    -> Value;
    async fn with(&self, #[serde(with = "hex")] number: u32, more: Option<&u32>) -> u32;
    async fn rest(&self, a: u8, #[serde(flatten)] rest: BTreeMap<String, Value>) -> Value;
    fn future(&self, text: &str) -> impl Future<Output = Result<usize, String>> + Send;
    async fn body(&self, text: &str, times: usize) -> String {
        self.text(text).await.repeat(times)
    }
    fn future_body(&self) -> impl Future<Output = u8> + Send {
        async { 3 }
    }
}

fn seven() -> u8 {
    7
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<u32, D::Error> {
        let text = String::deserialize(json)?;
        u32::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

struct Echo;

impl Arguments for Echo {
    async fn text(&self, text: &str) -> String {
        text.to_owned()
    }
    async fn slice(&self, bytes: &[u8], items: &[Item]) -> usize {
        bytes.len() + items.len()
    }
    async fn reference(&self, item: &Item, count: &u32) -> String {
        format!("{} {count}", item.name)
    }
    async fn cow(&self, text: Cow<'_, str>, bytes: Cow<'_, [u8]>) -> String {
        format!("{text} {}", bytes.len())
    }
    async fn fixed(&self, text: Cow<'static, str>) -> String {
        text.into_owned()
    }
    async fn option(&self, a: Option<u8>, b: Option<&str>, c: Option<&[u8]>) -> Value {
        json!([a, b, c])
    }
    async fn raw(&self, r#type: u8, r#in: &str) -> String {
        format!("{} {}", r#type, r#in)
    }
    async fn defaults(&self, a: u8, b: u8, c: u8) -> u8 {
        a + b + c
    }
    async fn renamed(&self, sender: &str, to: Option<&str>) -> String {
        format!("{sender} to {to:?}")
    }
    async fn nested(&self, a: Option<Option<u8>>, b: Option<Option<u8>>) -> Value {
        json!([format!("{a:?}"), format!("{b:?}")])
    }
    async fn with(&self, number: u32, more: Option<&u32>) -> u32 {
        number + more.unwrap_or(&1)
    }
    async fn rest(&self, a: u8, rest: BTreeMap<String, Value>) -> Value {
        json!({"a": a, "rest": rest})
    }
    async fn future(&self, text: &str) -> Result<usize, String> {
        text.parse().map_err(|_| format!("`{text}` is no number"))
    }
}

async fn serve() -> (Rpc, ArgumentsClient) {
    let rpc = Rpc::connect("memory://").await.expect("needs no broker");
    let server = ArgumentsServer::new(Echo);
    rpc.serve(server).await.expect("nothing else is served");
    let client = ArgumentsClient::new(&rpc);
    (rpc, client)
}

#[tokio::test]
async fn arguments_may_be_lent() {
    let (_rpc, echo) = serve().await;
    let item = Item { name: "tea".into() };
    assert_eq!(echo.text("hi").await.unwrap(), "hi");
    assert_eq!(echo.slice(b"abc", std::slice::from_ref(&item)).await, Ok(4));
    assert_eq!(echo.reference(&item, &3).await.unwrap(), "tea 3");
    assert_eq!(echo.cow("a".into(), b"bc".into()).await.unwrap(), "a 2");
    assert_eq!(
        echo.cow(Cow::Owned("a".into()), Cow::Borrowed(b""))
            .await
            .unwrap(),
        "a 0"
    );
    assert_eq!(echo.fixed("fixed".into()).await.unwrap(), "fixed");
    let local = String::from("of this scope");
    let call = echo.text(&local);
    drop(local);
    assert_eq!(call.await.unwrap(), "of this scope");
}

#[tokio::test]
async fn optional_arguments_are_left_out() {
    let (rpc, echo) = serve().await;
    assert_eq!(
        echo.option(None, None, None).await.unwrap(),
        json!([null, null, null])
    );
    assert_eq!(
        echo.option(Some(1), Some("two"), Some(&[3])).await.unwrap(),
        json!([1, "two", [3]])
    );
    assert_eq!(
        rpc.call("option", json!({"b": "x"})).await.unwrap(),
        json!([null, "x", null])
    );
    assert_eq!(
        rpc.call("option", json!({"b": null})).await.unwrap(),
        json!([null, null, null])
    );
}

/// JSON has one `null`, so of an option within an option only what is in both arrives.
#[tokio::test]
async fn an_option_of_nothing_is_nothing() {
    let (_rpc, echo) = serve().await;
    assert_eq!(
        echo.nested(Some(None), Some(None)).await.unwrap(),
        json!(["None", "None"])
    );
    assert_eq!(
        echo.nested(Some(Some(1)), Some(Some(2))).await.unwrap(),
        json!(["Some(Some(1))", "Some(Some(2))"])
    );
}

/// What the body of a call is, as somebody else's server sees it.
#[tokio::test]
async fn absent_arguments_are_not_sent() {
    let rpc = Rpc::connect("memory://").await.expect("needs no broker");
    for name in ["option", "renamed", "nested", "with", "defaults"] {
        let show = async |args: Value| Err::<(), _>(args.to_string());
        let registered = rpc.register(name, show).await;
        registered.expect("nothing else is served");
    }
    let echo = ArgumentsClient::new(&rpc);
    let seen = |error: RpcError| match error {
        RpcError::Remote(error) => error.message,
        other => panic!("{other}"),
    };
    let option = echo.option(None, None, None).await.unwrap_err();
    assert_eq!(seen(option), "{}");
    let option = echo.option(Some(1), None, Some(&[])).await.unwrap_err();
    assert_eq!(seen(option), r#"{"a":1,"c":[]}"#);
    let renamed = echo.renamed("ann", None).await.unwrap_err();
    assert_eq!(seen(renamed), r#"{"from":"ann"}"#);
    let nested = echo.nested(Some(None), None).await.unwrap_err();
    assert_eq!(seen(nested), r#"{"a":null}"#);
    let with = echo.with(255, Some(&2)).await.unwrap_err();
    assert_eq!(seen(with), r#"{"more":2,"number":"ff"}"#);
    // A default is the server's.
    let defaults = echo.defaults(1, 0, 0).await.unwrap_err();
    assert_eq!(seen(defaults), r#"{"a":1,"b":0,"c":0}"#);
}

#[tokio::test]
async fn serde_has_a_say() {
    let (rpc, echo) = serve().await;
    assert_eq!(echo.defaults(1, 2, 3).await, Ok(6));
    assert_eq!(rpc.call("defaults", json!({"a": 1})).await, Ok(json!(8)));
    assert_eq!(echo.renamed("ann", None).await.unwrap(), "ann to None");
    assert_eq!(
        echo.renamed("ann", Some("bob")).await.unwrap(),
        "ann to Some(\"bob\")"
    );
    assert_eq!(
        rpc.call("renamed", json!({"from": "ann"})).await.unwrap(),
        "ann to None"
    );
    let error = rpc
        .call("renamed", json!({"sender": "ann"}))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("unknown field `sender`"),
        "{error}"
    );
    assert_eq!(echo.with(255, None).await, Ok(256));
    assert_eq!(echo.with(255, Some(&2)).await, Ok(257));
    assert_eq!(
        rpc.call("with", json!({"number": "ff"})).await,
        Ok(json!(256))
    );
    let rest = BTreeMap::from([("b".to_owned(), json!(2))]);
    assert_eq!(
        echo.rest(1, rest).await.unwrap(),
        json!({"a": 1, "rest": {"b": 2}})
    );
}

#[tokio::test]
async fn what_is_wrong_with_arguments_is_named() {
    let (rpc, _echo) = serve().await;
    for (method, args, words) in [
        ("text", json!({}), "the argument `text` is missing"),
        (
            "text",
            json!({"text": 3}),
            "the argument `text`: invalid type: integer `3`, expected a string",
        ),
        (
            "text",
            json!({"text": "a", "more": 1}),
            "unknown argument `more`, the method takes `text`",
        ),
        (
            "future_body",
            json!({"more": 1}),
            "unknown argument `more`, the method takes none",
        ),
        (
            "slice",
            json!({"bytes": [1], "items": [{"name": "a"}, {"name": 2}]}),
            "the argument `items`, at `[1].name`: invalid type",
        ),
    ] {
        let error = rpc.call(method, args).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn futures_and_bodies_are_served() {
    let (_rpc, echo) = serve().await;
    assert_eq!(echo.future("12").await, Ok(12));
    let error = echo.future("x").await.unwrap_err();
    assert_eq!(error, CallError::Service("`x` is no number".to_owned()));
    assert_eq!(echo.body("ab", 2).await.unwrap(), "abab");
    assert_eq!(echo.future_body().await, Ok(3));
}
