//! Python's aio-pika at the other end, both ways.

mod peers;
mod python_calls;
mod python_serves;

use futures_util::future::join_all;
use rpc_core::{QueueOptions, Rpc, Server};
use rpc_tests::{PythonCall, PythonClient, PythonServer};
use serde_json::{Value, json};

use crate::probe::{ProbeServer, Real};
use crate::site::Site;

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
        "fail_big",
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

/// Answers with its own name.
async fn rust_who(rpc: &Rpc) -> Server {
    rpc.register("who", |_: Value| async { Ok::<_, String>("rust") })
        .await
        .unwrap()
}

/// TOPO-11, PIKA-2
#[tokio::test]
async fn two_servers_of_both_languages_share_one_queue() {
    let site = Site::rabbitmq().await;
    let python = python_server(&site, &["--methods", "who", "--tag", "python"]).await;
    // Batches would go to the one that takes them.
    let rpc = Rpc::connect(site.url()).await.unwrap();
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

/// aio-pika's own defaults make a transient queue.
/// TOPO-13, PIKA-2
#[tokio::test]
async fn a_queue_with_aio_pikas_default_flags_is_shared_too() {
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

/// PIKA-1
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
