//! Peers in other languages that know no more of the wire than they must: `examples/peers`.

use std::fmt;
use std::io::{Write as _, stderr};

use rpc_core::{CallError, RpcError, rpc_service};
use rpc_tests::Language;
use serde::{Deserialize, Serialize};
use serde_json::json;

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

async fn they_call(language: Language) {
    if left_out(language) {
        return;
    }
    let site = Site::rabbitmq().await;
    site.uses(&["divide"]).await;
    let rpc = site.rpc().await;
    rpc.serve(DividerServer::new(Real)).await.unwrap();
    assert_eq!(
        language.call(site.url()).await.unwrap(),
        "divide -> 3.5\n\
         divide failed: DivisionByZero: 1 cannot be divided by zero\n\
         nobody failed: no such method\n"
    );
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
    // Whatever comes, each call is answered: with arguments missing, and with a body that is not theirs.
    for kwargs in [json!({"a": 1}), json!({"a": "x", "b": []}), json!({})] {
        let error = rpc.call("divide", kwargs).await.unwrap_err();
        assert!(matches!(error, RpcError::Remote(_)), "{error:?}");
    }
    // A call that wants no answer costs them nothing.
    let one_way = rpc.call("divide", json!({"a": 1, "b": 1})).one_way();
    one_way.await.unwrap();
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

#[tokio::test]
async fn python_calls() {
    they_call(Language::Python).await;
}

#[tokio::test]
async fn python_serves() {
    they_serve(Language::Python, "ZeroDivisionError", "division by zero").await;
}

#[tokio::test]
async fn javascript_calls() {
    they_call(Language::JavaScript).await;
}

#[tokio::test]
async fn javascript_serves() {
    they_serve(Language::JavaScript, "RangeError", "cannot divide 1 by 0").await;
}

#[tokio::test]
async fn go_calls() {
    they_call(Language::Go).await;
}

#[tokio::test]
async fn go_serves() {
    they_serve(Language::Go, "DivideError", "cannot divide 1 by 0").await;
}
