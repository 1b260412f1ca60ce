//! Peers in other languages that know no more of the wire than they must: `examples/peers`.

use std::fmt;
use std::io::{Write as _, stderr};
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use rpc_core::{CallError, RpcError, rpc_service};
use rpc_tests::{Language, RawMessage, RawPeer, reply_properties};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::site::Site;

/// What the peers serve and call.
#[rpc_service]
trait Divider {
    /// Divides.
    #[rpc(idempotent)]
    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero>;
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct DivisionByZero(f64);

impl fmt::Display for DivisionByZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be divided by zero", self.0)
    }
}

/// How long the clients wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);

struct Real;

impl Divider for Real {
    async fn divide(&self, a: f64, b: f64) -> Result<f64, DivisionByZero> {
        if b == 0.0 {
            return Err(DivisionByZero(a));
        }
        Ok(a / b)
    }
}

/// Says past the test harness, which keeps back what a passed test prints, that a language is left out.
fn left_out(language: Language) -> bool {
    if language.left_out() {
        let line = format!("LEFT OUT by RPC_TESTS_WITHOUT: {language}\n");
        stderr().write_all(line.as_bytes()).unwrap();
    }
    language.left_out()
}

async fn they_call(language: Language, returned: &str) {
    if left_out(language) {
        return;
    }
    let site = Site::rabbitmq().await;
    site.uses(&["divide"]).await;
    let rpc = site.rpc().await;
    rpc.serve(DividerServer::new(Real)).await.unwrap();
    let call = async |method, calls: Vec<Value>| {
        let called = language.call(site.url(), method, &calls).await;
        called.unwrap()
    };
    let both = vec![json!({"a": 7, "b": 2}), json!({"a": 1, "b": 4})];
    assert_eq!(call("divide", both).await.unwrap(), "3.5\n0.25\n");
    let error = call("divide", vec![json!({"a": 1, "b": 0})]).await;
    let error = error.unwrap_err();
    for part in ["DivisionByZero", "1 cannot be divided by zero"] {
        assert!(error.contains(part), "{error}");
    }
    let start = Instant::now();
    let error = call("nobody", vec![json!({})]).await.unwrap_err();
    assert!(error.contains(returned), "{error}");
    assert!(start.elapsed() < LIMIT, "it waited for an answer");
}

/// Answers by hand. Not `mandatory`: REPLY-5 has why.
async fn reply(peer: &RawPeer, call: &RawMessage, properties: BasicProperties, body: &str) {
    let reply_to = call.reply_to().unwrap();
    let options = BasicPublishOptions::default();
    let published = peer.channel().basic_publish(
        "".into(),
        reply_to.into(),
        options,
        body.as_bytes(),
        properties,
    );
    published.await.unwrap().await.unwrap();
}

/// What their calls look like, and what they make of answers that are not as they should be, or do not come.
async fn they_wait_for_their_own_answer(language: Language, timed_out: &str) {
    if left_out(language) {
        return;
    }
    let site = Site::rabbitmq().await;
    site.uses(&["echo"]).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("echo").await.unwrap();
    let mut calls = peer.consume("echo").await.unwrap();
    let url = site.url().to_owned();
    let start = |calls: Vec<Value>| {
        let url = url.clone();
        tokio::spawn(async move { language.call(&url, "echo", &calls).await.unwrap() })
    };

    let client = start(vec![json!({"n": 1}), json!({"n": 2})]);
    let mut ids = Vec::new();
    for n in 1..=2 {
        let call = calls.next().await.unwrap();
        assert_eq!(call.json().unwrap(), json!({"n": n}));
        let expiration = call.0.properties.expiration().as_ref().unwrap();
        assert_eq!(expiration.as_str(), LIMIT.as_millis().to_string());
        let id = call.correlation_id().unwrap().to_owned();
        // Another one's answers, and one that is nobody's.
        for foreign in ["error", "foreign"] {
            let properties = reply_properties("result", foreign);
            reply(&peer, &call, properties, "-1").await;
        }
        let nobodys = BasicProperties::default().with_type("result".into());
        reply(&peer, &call, nobodys, "-1").await;
        reply(
            &peer,
            &call,
            reply_properties("result", &id),
            &n.to_string(),
        )
        .await;
        call.ack().await.unwrap();
        ids.push(id);
    }
    assert_eq!(client.await.unwrap().unwrap(), "1\n2\n");
    assert_ne!(ids[0], ids[1]);

    for (properties, body) in [
        (
            BasicProperties::default().with_type("error".into()),
            "\"just words\"",
        ),
        (BasicProperties::default(), "\"without a type\""),
    ] {
        let client = start(vec![json!({})]);
        let call = calls.next().await.unwrap();
        let id = call.correlation_id().unwrap();
        reply(
            &peer,
            &call,
            properties.with_correlation_id(id.into()),
            body,
        )
        .await;
        call.ack().await.unwrap();
        let error = client.await.unwrap().unwrap_err();
        assert!(error.contains(body), "{error}");
    }

    let begin = Instant::now();
    let client = start(vec![json!({})]);
    let error = client.await.unwrap().unwrap_err();
    assert!(error.contains(timed_out), "{error}");
    assert!(begin.elapsed() >= LIMIT, "{:?}", begin.elapsed());
}

async fn they_serve(language: Language, kind: &str, words: &str) {
    if left_out(language) {
        return;
    }
    let site = Site::rabbitmq().await;
    site.uses(&["divide"]).await;
    let server = language.serve(site.url()).await.unwrap();
    let rpc = site.rpc().await;
    let divider = DividerClient::new(&rpc);
    assert_eq!(divider.divide(7.0, 2.0).await, Ok(3.5));
    match divider.divide(1.0, 0.0).await.unwrap_err() {
        CallError::Rpc(RpcError::Remote(error)) => {
            assert_eq!(error.kind, kind);
            // Versions of Python differ in what comes before.
            assert!(error.message.ends_with(words), "{error}");
        }
        other => panic!("{other:?}"),
    }
    // Whatever comes, each call is answered: with arguments missing or of a wrong type, and with a result
    // that JSON cannot hold.
    for kwargs in [
        json!({"a": 1}),
        json!({"a": "x", "b": []}),
        json!({}),
        json!({"a": 1e308, "b": 1e-308}),
    ] {
        let error = rpc.call("divide", kwargs).await.unwrap_err();
        assert!(matches!(error, RpcError::Remote(_)), "{error:?}");
    }
    // More of each kind than their prefetch: they ack what they answer, and what wants no answer.
    for n in 0..20 {
        let one_way = rpc.call("divide", json!({"a": 1, "b": n % 2})).one_way();
        one_way.await.unwrap();
        divider.divide(1.0, 0.0).await.unwrap_err();
        assert_eq!(divider.divide(7.0, 2.0).await, Ok(3.5));
    }
    // A Rust server beside them: the queue is the same.
    rpc.serve(DividerServer::new(Real)).await.unwrap();
    drop(server);
    for n in 0..10 {
        assert_eq!(
            divider.divide(f64::from(n), 2.0).await,
            Ok(f64::from(n) / 2.0)
        );
    }
}

/// A server that went on without its queue would look as if it served.
async fn they_end_with_their_queue(language: Language) {
    if left_out(language) {
        return;
    }
    let site = Site::rabbitmq().await;
    site.uses(&["divide"]).await;
    let server = language.serve(site.url()).await.unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.delete("divide").await.unwrap();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn python_calls() {
    they_call(Language::Python, "UnroutableError").await;
}

#[tokio::test]
async fn python_waits_for_its_own_answer() {
    they_wait_for_their_own_answer(Language::Python, "no answer within 5 s").await;
}

#[tokio::test]
async fn python_serves() {
    they_serve(Language::Python, "ZeroDivisionError", "division by zero").await;
}

#[tokio::test]
async fn python_ends_with_its_queue() {
    they_end_with_their_queue(Language::Python).await;
}

#[tokio::test]
async fn javascript_calls() {
    they_call(Language::JavaScript, "NO_ROUTE").await;
}

#[tokio::test]
async fn javascript_waits_for_its_own_answer() {
    they_wait_for_their_own_answer(Language::JavaScript, "AbortError").await;
}

#[tokio::test]
async fn javascript_serves() {
    they_serve(Language::JavaScript, "RangeError", "cannot divide 1 by 0").await;
}

#[tokio::test]
async fn javascript_ends_with_its_queue() {
    they_end_with_their_queue(Language::JavaScript).await;
}

#[tokio::test]
async fn go_calls() {
    they_call(Language::Go, "NO_ROUTE").await;
}

#[tokio::test]
async fn go_waits_for_its_own_answer() {
    they_wait_for_their_own_answer(Language::Go, "no answer within 5 s").await;
}

#[tokio::test]
async fn go_serves() {
    they_serve(Language::Go, "DivideError", "unsupported value: +Inf").await;
}

#[tokio::test]
async fn go_ends_with_its_queue() {
    they_end_with_their_queue(Language::Go).await;
}
