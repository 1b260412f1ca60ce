//! aio-pika calls, Rust serves.

use std::collections::BTreeMap;
use std::fmt;

use rpc_tests::{PythonCall, PythonClient};
use serde::Serialize;
use serde_json::{Value, json};

use super::values;
use crate::probe::{ProbeServer, Real};
use crate::site::Site;

async fn everything(options: &[&str]) {
    let site = Site::rabbitmq().await;
    let (_client, _server) = site.client_and_server().await;
    let mut client = PythonClient::start(site.url(), options).await.unwrap();
    let sum = client.call("add", json!({"a": 1, "b": 2})).await.unwrap();
    assert_eq!(sum.unwrap(), json!(3));
    assert_eq!(
        client.call("nothing", json!({})).await.unwrap().unwrap(),
        Value::Null
    );
    for value in values() {
        let echo = client.call("echo", json!({"value": value})).await.unwrap();
        assert_eq!(echo.unwrap(), value);
    }
    let calls: Vec<_> = (0..200)
        .map(|n| PythonCall::new("add", json!({"a": n, "b": n})))
        .collect();
    for (n, sum) in client
        .call_all(&calls)
        .await
        .unwrap()
        .into_iter()
        .enumerate()
    {
        assert_eq!(sum.unwrap(), json!(2 * n));
    }
    client.stop().await.unwrap();
}

/// PIKA-1, TOPO-11
#[tokio::test]
async fn over_a_plain_connection() {
    everything(&["--plain"]).await;
}

/// PIKA-1
#[tokio::test]
async fn over_a_robust_connection() {
    everything(&["--robust"]).await;
}

/// PIKA-1, ERR-1
#[tokio::test]
async fn errors_are_json_rpc_errors_with_type_message_args_and_data() {
    let site = Site::rabbitmq().await;
    let (_client, _server) = site.client_and_server().await;
    let mut client = PythonClient::start(site.url(), &[]).await.unwrap();
    let error = client
        .call("pay", json!({"amount": 101}))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.class, "JsonRPCError");
    assert_eq!(
        error.args,
        [
            json!("RPC exception"),
            json!({"error": {
                "type": "PayError",
                "message": "101 needed, 100 available",
                "args": ["101 needed, 100 available"],
                "data": {"InsufficientFunds": {"needed": 101, "available": 100}},
            }}),
        ]
    );
    for (method, kwargs, kind) in [
        ("explode", json!({"words": "boom"}), "rpc.Panicked"),
        ("add", json!({"a": 1}), "rpc.InvalidArguments"),
        (
            "add",
            json!({"a": 1, "b": 2, "c": 3}),
            "rpc.InvalidArguments",
        ),
    ] {
        let error = client.call(method, kwargs).await.unwrap().unwrap_err();
        assert_eq!(error.class, "JsonRPCError");
        assert_eq!(error.args[1]["error"]["type"], kind);
    }
    let error = client.call("nobody", json!({})).await.unwrap().unwrap_err();
    assert_eq!(error.class, "MessageProcessError");
    client.stop().await.unwrap();
}

/// The value as it is in Rust, to the last digit.
/// ERR-1, BODY-2, BODY-5, BODY-6
#[tokio::test]
async fn errors_are_as_exact_as_results() {
    let site = Site::rabbitmq().await;
    site.uses(&["float", "map", "unit"]).await;
    let rpc = site.rpc().await;
    let float = |_: Value| async { Err::<(), _>(Shown(0.1_f32)) };
    rpc.register("float", float).await.unwrap();
    let map = |_: Value| async { Err::<(), _>(Shown(BTreeMap::from([(7, u64::MAX)]))) };
    rpc.register("map", map).await.unwrap();
    rpc.register("unit", |(): ()| async { Ok::<_, String>(1) })
        .await
        .unwrap();
    let mut client = PythonClient::start(site.url(), &[]).await.unwrap();
    for (method, data) in [("float", json!(0.1)), ("map", json!({"7": u64::MAX}))] {
        let error = client.call(method, json!({})).await.unwrap().unwrap_err();
        let expected =
            json!({"type": "Shown", "message": "shown", "args": ["shown"], "data": data});
        assert_eq!(error.args[1], json!({ "error": expected }));
    }
    let one = client.call("unit", json!({})).await.unwrap();
    assert_eq!(one.unwrap(), json!(1));
    client.stop().await.unwrap();
}

#[derive(Serialize)]
struct Shown<T>(T);

impl<T> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shown")
    }
}

/// PIKA-1
#[tokio::test]
async fn a_call_that_expires_is_a_timeout_error() {
    let site = Site::rabbitmq().await;
    let server = site.rpc().await;
    server
        .serve(ProbeServer::new(Real))
        .concurrency(1)
        .await
        .unwrap();
    let mut client = PythonClient::start(site.url(), &[]).await.unwrap();
    let calls = [
        PythonCall::new("nap", json!({"millis": 2000})),
        PythonCall::new("nap", json!({"millis": 0})).expiration(0.3),
    ];
    let [long, short] = client.call_all(&calls).await.unwrap().try_into().unwrap();
    assert_eq!(long.unwrap(), json!(2000));
    assert_eq!(short.unwrap_err().class, "TimeoutError");
    client.stop().await.unwrap();
}
