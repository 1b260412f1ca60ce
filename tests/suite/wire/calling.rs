//! What a caller of ours sends, and what it makes of anything that comes back.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use rpc_core::{CallError, Rpc, RpcError};
use rpc_tests::{RawConsumer, RawMessage, RawPeer, long, reply_properties};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::probe::ProbeClient;
use crate::site::Site;

/// A call that a hand-driven server has taken.
struct Taken {
    call: JoinHandle<Result<Value, RpcError>>,
    message: RawMessage,
    peer: RawPeer,
    client: Rpc,
    _site: Site,
    consumer: RawConsumer,
}

impl Taken {
    async fn new() -> Self {
        let site = Site::rabbitmq().await;
        let peer = RawPeer::connect(site.url()).await.unwrap();
        peer.method_queue("add").await.unwrap();
        let mut consumer = peer.consume("add").await.unwrap();
        let client = site.rpc().await;
        let call = client.call("add", json!({"a": 1, "b": 2}));
        let call = tokio::spawn(
            call.timeout(Duration::from_secs(20))
                .header("tenant", "acme"),
        );
        let message = consumer.next().await.unwrap();
        Self {
            call,
            message,
            peer,
            client,
            _site: site,
            consumer,
        }
    }

    fn reply_to(&self) -> &str {
        self.message.reply_to().unwrap()
    }

    fn id(&self) -> &str {
        self.message.correlation_id().unwrap()
    }

    async fn reply(&self, properties: BasicProperties, body: impl AsRef<[u8]>) {
        self.peer
            .publish(self.reply_to(), properties, body)
            .await
            .unwrap();
    }

    async fn end(self) -> Result<Value, RpcError> {
        self.call.await.unwrap()
    }
}

/// CALL-1, TIME-1, BODY-2, END-1
#[tokio::test]
async fn a_call_is_what_aio_pika_sends() {
    let taken = Taken::new().await;
    let message = &taken.message;
    let properties = &message.0.properties;
    assert_eq!(message.0.exchange.as_str(), "");
    assert_eq!(message.kind(), Some("call"));
    assert_eq!(message.json().unwrap(), json!({"a": 1, "b": 2}));
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(*properties.delivery_mode(), Some(1));
    assert!(
        taken.reply_to().starts_with("rpc.reply."),
        "{}",
        taken.reply_to()
    );
    assert_eq!(message.header("From"), Some(&long(taken.reply_to())));
    assert_eq!(message.header("tenant"), Some(&long("acme")));
    assert!(matches!(
        message.header("rpc-deadline"),
        Some(AMQPValue::LongLongInt(_))
    ));
    assert_eq!(taken.id().len(), 36);
    let expiration: u64 = properties
        .expiration()
        .as_ref()
        .unwrap()
        .as_str()
        .parse()
        .unwrap();
    assert!((1..=20_000).contains(&expiration), "{expiration}");
    taken
        .reply(reply_properties("result", taken.id()), "3")
        .await;
    assert_eq!(taken.end().await.unwrap(), json!(3));
}

/// REPLY-2, END-1
#[tokio::test]
async fn a_reply_needs_no_more_than_its_type_and_its_id() {
    let taken = Taken::new().await;
    let bare = BasicProperties::default()
        .with_type("result".into())
        .with_correlation_id(taken.id().into());
    taken.reply(bare, " {\"x\": 1}\n").await;
    assert_eq!(taken.end().await.unwrap(), json!({"x": 1}));
}

/// REPLY-4, BODY-4, BODY-7, END-1, END-2, END-11
#[tokio::test]
async fn replies_that_make_no_sense_are_decode_errors() {
    for (kind, body) in [
        (Some("result"), &b"{\"x\":"[..]),
        (Some("result"), b""),
        (Some("result"), b"NaN"),
        (Some("result"), b"\xff\xfe"),
        (Some("result"), &[b'['; 100_000]),
        (Some("error"), b"nope"),
        (Some("error"), b""),
        (Some("Result"), b"3"),
        (Some("weird"), b"3"),
        (None, b"3"),
    ] {
        let taken = Taken::new().await;
        let mut properties = BasicProperties::default().with_correlation_id(taken.id().into());
        if let Some(kind) = kind {
            properties = properties.with_type(kind.into());
        }
        taken.reply(properties, body).await;
        let error = taken.end().await.unwrap_err();
        assert!(
            matches!(&error, RpcError::Decode { method, .. } if method == "add"),
            "{kind:?}: {error:?}"
        );
    }
}

/// ERR-2, END-2
#[tokio::test]
async fn error_bodies_of_any_shape_are_remote_errors() {
    for (body, kind, message) in [
        (
            r#"{"error": {"type": "X", "message": "X('m')", "args": ["m"]}}"#,
            "X",
            "X('m')",
        ),
        (
            r#"{"error": {"type": "X", "message": "m", "args": [], "code": 7}}"#,
            "X",
            "m",
        ),
        (
            r#""TypeError('keys must be str')""#,
            "",
            "TypeError('keys must be str')",
        ),
        ("7", "", "7"),
        ("null", "", "null"),
        ("{}", "", "{}"),
        ("[]", "", "[]"),
    ] {
        let taken = Taken::new().await;
        taken
            .reply(reply_properties("error", taken.id()), body)
            .await;
        let RpcError::Remote(remote) = taken.end().await.unwrap_err() else {
            panic!("not remote: {body}");
        };
        assert_eq!(
            (remote.kind.as_str(), remote.message.as_str()),
            (kind, message)
        );
        assert_eq!(remote.method(), "add");
    }
}

/// END-12
#[tokio::test]
async fn foreign_messages_on_the_reply_queue_harm_nothing() {
    let taken = Taken::new().await;
    taken.reply(BasicProperties::default(), "1").await;
    for id in [
        "",
        "7",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        &"x".repeat(255),
    ] {
        taken.reply(reply_properties("result", id), "2").await;
        taken.reply(reply_properties("error", id), "{}").await;
    }
    assert_eq!(taken.client.in_flight(), 1);
    let good = reply_properties("result", taken.id());
    for body in ["3", "4", "not JSON"] {
        taken.reply(good.clone(), body).await;
    }
    let client = taken.client.clone();
    assert_eq!(
        taken.end().await.unwrap(),
        json!(3),
        "the first answer counts"
    );
    client
        .register("sub", |_: Value| async { Ok::<_, String>(5) })
        .await
        .unwrap();
    assert_eq!(
        client.call("sub", ()).await.unwrap(),
        json!(5),
        "the client goes on"
    );
}

/// END-12, END-15
#[tokio::test]
async fn a_reply_that_comes_late_is_dropped_quietly() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("add").await.unwrap();
    let mut consumer = peer.consume("add").await.unwrap();
    let client = site.rpc().await;
    let call = tokio::spawn(client.call("add", ()).timeout(Duration::from_millis(500)));
    let message = consumer.next().await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    assert_eq!(client.in_flight(), 0);
    let late = reply_properties("result", message.correlation_id().unwrap());
    peer.publish(message.reply_to().unwrap(), late, "3")
        .await
        .unwrap();
    message.ack().await.unwrap();
    // What was sent after it is answered, so the late one has been met and dropped.
    let next = tokio::spawn(client.call("add", ()));
    let message = consumer.next().await.unwrap();
    let reply = reply_properties("result", message.correlation_id().unwrap());
    peer.publish(message.reply_to().unwrap(), reply, "4")
        .await
        .unwrap();
    assert_eq!(next.await.unwrap().unwrap(), json!(4));
    assert_eq!(client.in_flight(), 0);
}

/// TOPO-8, END-8
#[tokio::test]
async fn a_rejected_call_is_rejected() {
    let taken = Taken::new().await;
    taken.message.reject(false).await.unwrap();
    assert_eq!(taken.end().await.unwrap_err(), RpcError::rejected("add"));
}

/// ERR-3
#[tokio::test]
async fn foreign_error_data_that_is_not_the_services_stays_a_remote_error() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("pay").await.unwrap();
    let mut consumer = peer.consume("pay").await.unwrap();
    let client = site.rpc().await;
    for (data, mismatch) in [
        (r#"{"what": 1}"#, Some("unknown variant `what`")),
        (
            r#"{"InsufficientFunds": {"needed": -1}}"#,
            Some("integer `-1`, expected u64"),
        ),
        // As some languages say that there is none.
        ("null", None),
    ] {
        let call = tokio::spawn(ProbeClient::new(&client).pay(1));
        let message = consumer.next().await.unwrap();
        let properties = reply_properties("error", message.correlation_id().unwrap());
        let body =
            format!(r#"{{"error": {{"type": "X", "message": "m", "args": [], "data": {data}}}}}"#);
        peer.publish(message.reply_to().unwrap(), properties, body)
            .await
            .unwrap();
        let CallError::Rpc(RpcError::Remote(error)) = call.await.unwrap().unwrap_err() else {
            panic!("not remote");
        };
        assert_eq!(error.data().unwrap().get(), data);
        let text = error.to_string();
        let Some(mismatch) = mismatch else {
            assert_eq!(text, "`pay` failed on the server: X: m");
            continue;
        };
        let said = error.mismatch().unwrap();
        assert!(
            said.contains("PayError`") && said.contains(mismatch),
            "{said}"
        );
        assert_eq!(text, format!("`pay` failed on the server: X: m ({said})"));
    }
}

/// The reply is a result or an error, and whoever sent it says how it is written.
/// BODY-1, BODY-4, BODY-7, END-1, END-2
#[tokio::test]
async fn an_answer_that_cannot_be_read_is_named() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    for (kind, encoding, content_type, body, words) in [
        (
            "result",
            "gzip",
            "application/json",
            &b"\x1f\x8b\x08\0"[..],
            "it looks like gzip (content_encoding: gzip)",
        ),
        (
            "error",
            "gzip",
            "application/json",
            b"\x1f\x8b\x08\0",
            "it looks like gzip (content_encoding: gzip)",
        ),
        (
            "result",
            "",
            "application/python-pickle",
            b"\x80\x04K\x03.",
            "a pickle of Python (content_type: application/python-pickle)",
        ),
        (
            "result",
            "",
            "application/json",
            b"\xef\xbb\xbf3",
            "it starts with a byte order mark",
        ),
        (
            "result",
            "",
            "application/json",
            b"3\0",
            "it looks like UTF-16",
        ),
        (
            "result",
            "",
            "application/json",
            b"[1e400]",
            "a number out of range",
        ),
        (
            "result",
            "",
            "application/json",
            br#"["\ud800"]"#,
            "half of a surrogate pair",
        ),
        (
            "result",
            "",
            "application/json",
            b"[NaN]",
            "NaN and Infinity are no JSON",
        ),
        (
            "result",
            "",
            "application/json",
            deep.as_bytes(),
            "nested too deep",
        ),
    ] {
        let taken = Taken::new().await;
        let properties = reply_properties(kind, taken.id()).with_content_type(content_type.into());
        taken
            .reply(properties.with_content_encoding(encoding.into()), body)
            .await;
        let error = taken.end().await.unwrap_err();
        assert!(matches!(error, RpcError::Decode { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

/// ERR-2
#[tokio::test]
async fn an_error_without_a_kind_is_readable() {
    let taken = Taken::new().await;
    let answer = reply_properties("error", taken.id());
    taken
        .reply(answer, r#"{"error": {"message": "cannot add"}}"#)
        .await;
    let error = taken.end().await.unwrap_err();
    assert_eq!(error.to_string(), "`add` failed on the server: cannot add");
}

/// An answer `rpc.Expired` to a call that has time left.
fn expired() -> String {
    json!({"error": {"type": "rpc.Expired", "message": "late", "args": []}}).to_string()
}

/// TIME-8, END-4
#[tokio::test]
async fn a_call_that_a_server_takes_for_late_is_sent_again_and_says_that_it_is_not() {
    let mut taken = Taken::new().await;
    assert_eq!(taken.message.header("rpc-in-time"), None);
    let answer = reply_properties("error", taken.id());
    taken.reply(answer, expired()).await;
    let again = taken.consumer.next().await.unwrap();
    assert_eq!(again.header("rpc-in-time"), Some(&AMQPValue::Boolean(true)));
    assert_ne!(again.correlation_id(), Some(taken.id()));
    assert_eq!(again.json().unwrap(), json!({"a": 1, "b": 2}));
    let answer = reply_properties("result", again.correlation_id().unwrap());
    taken.reply(answer, "3").await;
    assert_eq!(taken.end().await.unwrap(), json!(3));
}

/// TIME-8, END-4
#[tokio::test]
async fn a_server_that_never_believes_its_caller_makes_it_expire_at_its_deadline() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("add").await.unwrap();
    let mut consumer = peer.consume("add").await.unwrap();
    let client = site.rpc().await;
    let limit = Duration::from_millis(500);
    let start = Instant::now();
    let call = tokio::spawn(client.call("add", ()).timeout(limit));
    let mut times = 0;
    while !call.is_finished() {
        let next = tokio::time::timeout(Duration::from_millis(50), consumer.next());
        if let Ok(message) = next.await {
            let message = message.unwrap();
            let answer = reply_properties("error", message.correlation_id().unwrap());
            let reply_to = message.reply_to().unwrap();
            peer.publish(reply_to, answer, expired()).await.unwrap();
            message.ack().await.unwrap();
            times += 1;
        }
    }
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, RpcError::Expired { .. }), "{error:?}");
    assert!(start.elapsed() >= limit);
    assert!((2..100).contains(&times), "{times}");
}
