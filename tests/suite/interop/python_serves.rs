//! Rust calls, aio-pika serves.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{CallError, RpcError, rpc_service};
use serde_json::{Value, json};

use super::{python_server, values};
use crate::site::{Site, eventually};

/// What the Python server has, typed.
#[rpc_service]
pub(crate) trait Foreign {
    /// Adds.
    async fn add(&self, a: i64, b: i64) -> i64;
    /// Returns what it got.
    async fn echo(&self, value: Value) -> Value;
    /// Returns after `t` seconds.
    async fn sleep(&self, t: f64) -> f64;
    /// Fails.
    async fn fail(&self, message: String) -> Result<(), String>;
    /// Has no arguments and no result.
    async fn nothing(&self);
    /// Returns what JSON has no number for.
    async fn nan(&self) -> f64;
    /// Returns 2 to the power of 70.
    async fn big_int(&self) -> u128;
}

async fn everything(options: &[&str]) {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, options).await;
    let rpc = site.rpc().await;
    let foreign = ForeignClient::new(&rpc);
    assert_eq!(foreign.add(1, 2).await.unwrap(), 3);
    foreign.nothing().await.unwrap();
    for value in values() {
        assert_eq!(foreign.echo(value.clone()).await.unwrap(), value);
        assert_eq!(
            rpc.call("echo", json!({"value": value})).await.unwrap(),
            value
        );
    }
    for (n, sum) in (0..).zip(join_all((0..200).map(|n| foreign.add(n, n))).await) {
        assert_eq!(sum.unwrap(), 2 * n);
    }
    server.stop().await.unwrap();
}

/// PIKA-1
#[tokio::test]
async fn over_a_plain_connection() {
    everything(&["--plain"]).await;
}

/// PIKA-1
#[tokio::test]
async fn over_a_robust_connection() {
    everything(&["--robust"]).await;
}

/// PIKA-1, ERR-2, ERR-3
#[tokio::test]
async fn exceptions_are_remote_errors() {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, &[]).await;
    let rpc = site.rpc().await;
    let remote = async |method: &'static str, kwargs: Value| match rpc
        .call(method, kwargs)
        .await
        .unwrap_err()
    {
        RpcError::Remote(remote) => remote,
        other => panic!("{other:?}"),
    };
    let error = remote("fail", json!({"message": "boom"})).await;
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("ValueError", "ValueError('boom')")
    );
    assert_eq!(error.args().decode::<[String; 1]>().unwrap(), ["boom"]);
    assert_eq!(error.data(), None);
    let error = remote("fail_custom", json!({})).await;
    assert_eq!(error.kind, "CustomError");
    let args: (u8, Value) = error.args().decode().unwrap();
    assert_eq!(args, (42, json!({"field": "name"})));
    let error = remote("fail_big", json!({})).await;
    assert_eq!(error.args().decode::<[u128; 1]>().unwrap(), [1 << 70]);
    let error = remote("add", json!({"a": 1})).await;
    assert_eq!(error.kind, "TypeError");
    assert!(error.message.contains("'b'"), "{error}");
    let error = remote("not_json", json!({})).await;
    assert_eq!(error.kind, "");
    assert!(
        error.message.starts_with("TypeError('keys must be"),
        "{error}"
    );
    // A typed caller of a method with an error type gets what Python sent, not a decode error.
    match ForeignClient::new(&rpc)
        .fail("boom".into())
        .await
        .unwrap_err()
    {
        CallError::Rpc(RpcError::Remote(error)) => assert_eq!(error.kind, "ValueError"),
        other => panic!("{other:?}"),
    }
    server.stop().await.unwrap();
}

/// BODY-4, BODY-5
#[tokio::test]
async fn values_that_json_cannot_hold_end_the_call() {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, &[]).await;
    let rpc = site.rpc().await;
    let foreign = ForeignClient::new(&rpc);
    for method in ["nan", "infinity"] {
        let error = rpc.call(method, ()).await.unwrap_err();
        assert!(matches!(error, RpcError::Decode { .. }), "{error:?}");
    }
    assert!(matches!(
        foreign.nan().await.unwrap_err(),
        RpcError::Decode { .. }
    ));
    assert_eq!(foreign.big_int().await.unwrap(), 1 << 70);
    assert_eq!(rpc.call("bytes", ()).await.unwrap(), json!(r"b'\x00\xff'"));
    let error = rpc.call("lone_surrogate", ()).await.unwrap_err();
    assert!(matches!(error, RpcError::Remote(_)), "{error:?}");
    server.stop().await.unwrap();
}

/// END-6, END-8, END-10, END-15
#[tokio::test]
async fn calls_that_python_never_answers_end_too() {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, &["--prefetch", "1"]).await;
    let rpc = site.rpc().await;
    let foreign = ForeignClient::new(&rpc);
    let error = rpc.call("nobody", ()).await.unwrap_err();
    assert_eq!(error, RpcError::no_such_method("nobody"));
    let error = rpc.call("reject", ()).await.unwrap_err();
    assert_eq!(error, RpcError::rejected("reject"));
    let limit = Duration::from_millis(300);
    let error = rpc.call("silent", ()).timeout(limit).await.unwrap_err();
    assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    // Expiration: the only server is busy, and this call never reaches it.
    let busy = tokio::spawn(foreign.sleep(6.0));
    eventually("the server is busy", || async {
        rpc.in_flight() == 1 && site.depth("sleep").await == 0
    })
    .await;
    let error = foreign
        .sleep(0.0)
        .timeout(Duration::from_secs(4))
        .await
        .unwrap_err();
    assert!(matches!(error, RpcError::Expired { .. }), "{error:?}");
    assert_eq!(busy.await.unwrap().unwrap(), 6.0);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_python_server_that_dies_interrupts_nothing_it_did_not_start() {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, &["--tag", "first"]).await;
    let rpc = site.rpc().await;
    let error = rpc
        .call("kill", ())
        .timeout(Duration::from_secs(4))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RpcError::Timeout { .. } | RpcError::Expired { .. }),
        "{error:?}"
    );
    server.ended().await.unwrap();
    // The queue stays, so the next server gets what waits.
    let waiting = tokio::spawn(rpc.call("who", ()));
    let second = python_server(&site, &["--tag", "second", "--methods", "who"]).await;
    assert_eq!(waiting.await.unwrap().unwrap(), json!("second"));
    second.stop().await.unwrap();
}

#[tokio::test]
async fn one_way_calls_run_and_nobody_hears_of_them() {
    let site = Site::rabbitmq().await;
    let server = python_server(&site, &[]).await;
    let rpc = site.rpc().await;
    for (method, args) in [
        ("nothing", json!({})),
        ("fail", json!({"message": "boom"})),
        ("add", json!({"a": 1})),
    ] {
        rpc.call(method, args).one_way().await.unwrap();
        eventually("it was taken", || async {
            let count = rpc.call("count", json!({ "method": method }));
            count.await.unwrap() == json!(1) && site.depth(method).await == 0
        })
        .await;
    }
    // The server goes on.
    assert_eq!(ForeignClient::new(&rpc).add(1, 2).await, Ok(3));
    server.stop().await.unwrap();
}
