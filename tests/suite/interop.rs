//! Python's aio-pika at the other end, both ways.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{CallError, QueueOptions, Rpc, RpcError, Server, rpc_service};
use rpc_tests::{PythonCall, PythonClient, PythonServer};
use serde_json::{Value, json};

use crate::probe::{ProbeServer, Real};
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

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.1),
        json!(1e300),
        json!(""),
        json!("héllo \u{1F980} \u{0} \" \\ \n"),
        json!([]),
        json!({}),
        json!([1, [2, [3, {"a": [null]}]]]),
        json!({"ключ": {"nested": {"深": [1.5, "x", false]}}}),
    ]
}

async fn python_server(site: &Site, options: &[&str]) -> PythonServer {
    site.uses(&[
        "who",
        "count",
        "sleep",
        "add",
        "echo",
        "nothing",
        "fail",
        "fail_custom",
        "not_json",
        "lone_surrogate",
        "nan",
        "infinity",
        "big_int",
        "bytes",
        "silent",
        "reject",
        "kill",
    ])
    .await;
    let options = [&["--durable"], options].concat();
    PythonServer::start(site.url(), &options).await.unwrap()
}

mod rust_calls_python {
    use super::*;

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

    #[tokio::test]
    async fn over_a_plain_connection() {
        everything(&["--plain"]).await;
    }

    #[tokio::test]
    async fn over_a_robust_connection() {
        everything(&["--robust"]).await;
    }

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
        assert_eq!((error.args, error.data), (vec![json!("boom")], None));
        let error = remote("fail_custom", json!({})).await;
        assert_eq!(
            (error.kind.as_str(), error.args),
            ("CustomError", vec![json!(42), json!({"field": "name"})])
        );
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

    #[tokio::test]
    async fn calls_that_python_never_answers_end_too() {
        let site = Site::rabbitmq().await;
        let server = python_server(&site, &["--prefetch", "1"]).await;
        let rpc = site.rpc().await;
        let foreign = ForeignClient::new(&rpc);
        let error = rpc.call("nobody", ()).await.unwrap_err();
        assert_eq!(
            error,
            RpcError::NoSuchMethod {
                method: "nobody".into()
            }
        );
        let error = rpc.call("reject", ()).await.unwrap_err();
        assert_eq!(
            error,
            RpcError::Rejected {
                method: "reject".into()
            }
        );
        let limit = Duration::from_millis(300);
        let error = rpc.call("silent", ()).timeout(limit).await.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
        // Expiration: the only server is busy, and this call never reaches it.
        let busy = tokio::spawn(foreign.sleep(4.0));
        eventually("the server is busy", || async {
            rpc.in_flight() == 1 && site.depth("sleep").await == 0
        })
        .await;
        let error = foreign
            .sleep(0.0)
            .timeout(Duration::from_secs(1))
            .await
            .unwrap_err();
        assert!(matches!(error, RpcError::Expired { .. }), "{error:?}");
        assert_eq!(busy.await.unwrap().unwrap(), 4.0);
        server.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_python_server_that_dies_interrupts_nothing_it_did_not_start() {
        let site = Site::rabbitmq().await;
        let server = python_server(&site, &["--tag", "first"]).await;
        let rpc = site.rpc().await;
        let error = rpc
            .call("kill", ())
            .timeout(Duration::from_secs(2))
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
}

mod python_calls_rust {
    use super::*;

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

    #[tokio::test]
    async fn over_a_plain_connection() {
        everything(&["--plain"]).await;
    }

    #[tokio::test]
    async fn over_a_robust_connection() {
        everything(&["--robust"]).await;
    }

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
}

/// Answers with its own name.
async fn rust_who(rpc: &Rpc) -> Server {
    rpc.register("who", |_: Value| async { Ok::<_, String>("rust") })
        .await
        .unwrap()
}

#[tokio::test]
async fn two_servers_of_both_languages_share_one_queue() {
    let site = Site::rabbitmq().await;
    let python = python_server(&site, &["--methods", "who", "--tag", "python"]).await;
    let rpc = site.rpc().await;
    let rust = rust_who(&rpc).await;
    let mut client = PythonClient::start(site.url(), &[]).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| PythonCall::new("who", json!({})))
        .collect();
    let mut answers: Vec<Value> = Vec::new();
    for outcome in client.call_all(&calls).await.unwrap() {
        answers.push(outcome.unwrap());
    }
    for answer in join_all((0..100).map(|_| rpc.call("who", ()))).await {
        answers.push(answer.unwrap());
    }
    for name in ["rust", "python"] {
        let count = answers
            .iter()
            .filter(|answer| **answer == json!(name))
            .count();
        assert!((50..=150).contains(&count), "{name}: {count} of 200");
    }
    // Each takes over what the other leaves.
    rust.shutdown().await.unwrap();
    assert_eq!(rpc.call("who", ()).await.unwrap(), json!("python"));
    rust_who(&rpc).await;
    python.stop().await.unwrap();
    assert_eq!(
        client.call("who", json!({})).await.unwrap().unwrap(),
        json!("rust")
    );
}

/// aio-pika's own defaults make a transient queue, which RabbitMQ 4.3 refuses.
#[tokio::test]
async fn a_queue_with_aio_pikas_default_flags_is_shared_too() {
    let Some(node) = rpc_tests::shared_node().await.node() else {
        panic!("a test that needs a node of its own; unset RABBITMQ_URL");
    };
    if node.major_minor().unwrap() >= (4, 3) {
        return;
    }
    let site = Site::rabbitmq().await;
    let options = [
        "--methods",
        "who",
        "--tag",
        "python",
        "--reply-queue",
        "default",
    ];
    let _python = PythonServer::start(site.url(), &options).await.unwrap();
    let rpc = site.rpc().await;
    let error = rpc
        .register("who", |_: Value| async { Ok::<_, String>("rust") })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("durable"), "{error}");
    let transient = QueueOptions::default().durable(false);
    let serving = rpc
        .register("who", |_: Value| async { Ok::<_, String>("rust") })
        .queue(transient);
    serving.await.unwrap();
    let mut answers = join_all((0..20).map(|_| rpc.call("who", ()))).await;
    answers.sort_by_key(|answer| answer.as_ref().unwrap().to_string());
    assert_eq!(*answers[0].as_ref().unwrap(), json!("python"));
    assert_eq!(*answers[19].as_ref().unwrap(), json!("rust"));
}

#[tokio::test]
async fn a_python_caller_survives_a_rust_server_that_comes_and_goes() {
    let site = Site::rabbitmq().await;
    let mut client = PythonClient::start(site.url(), &[]).await.unwrap();
    for n in 0..3 {
        let rpc = site.rpc().await;
        let server = rpc.serve(ProbeServer::new(Real)).await.unwrap();
        let sum = client.call("add", json!({"a": n, "b": 1})).await.unwrap();
        assert_eq!(sum.unwrap(), json!(n + 1));
        server.shutdown().await.unwrap();
        rpc.close().await;
    }
}
