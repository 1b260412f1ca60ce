//! How much memory a client takes while nothing takes what it sends, and anybody for what others
//! send.
//!
//! A test binary of its own, since it is the memory of the process that is measured.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Batching, Rpc, RpcBuilder, RpcError};
use rpc_tests::{RabbitNode, TcpRelay, Way};
use serde_json::{Value, json};
use tokio::time::Instant;

mod received;
mod weighed;

#[tokio::test]
async fn a_network_that_takes_nothing_does_not_make_a_client_grow() {
    let node = RabbitNode::start().await.unwrap();
    let server = Rpc::connect(node.url()).await.unwrap();
    let length = |text: String| async move { Ok::<_, String>(text.len()) };
    let length = move |value: Value| length(value["text"].as_str().unwrap_or_default().to_owned());
    server.register("length", length).await.unwrap();
    // Small ones go in batches, large ones by themselves.
    for (size, batching) in [
        (1 << 20, Batching::default()),
        (8 << 10, Batching::always()),
        (8 << 10, Batching::off()),
    ] {
        let relay = TcpRelay::start(node.port()).await.unwrap();
        let builder = Rpc::builder(relay.url(&node.url()));
        grows_little(builder.batching(batching), &relay, size).await;
    }
}

async fn grows_little(builder: RpcBuilder, relay: &TcpRelay, size: usize) {
    let callers = HELD / size;
    let client = builder.max_in_flight(callers).connect().await.unwrap();
    let text = "x".repeat(size);
    // All that a client ever needs.
    let answered = call(&client, &text, callers, Duration::from_secs(20)).await;
    assert!(answered.iter().all(|end| *end == Ok(json!(size))));
    let before = resident();
    relay.freeze_way(Way::There);
    let (start, mut ended) = (Instant::now(), 0);
    while ended * size < ENOUGH {
        for end in call(&client, &text, callers, Duration::from_millis(30)).await {
            let error = end.unwrap_err();
            assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
            ended += 1;
        }
        // Else the connection counts as lost soon, and takes all with it.
        assert!(start.elapsed() < Duration::from_secs(15), "{ended} ended");
    }
    let grown = resident().saturating_sub(before);
    println!("{ended} calls of {size} bytes: {} MiB more", grown >> 20);
    assert!(
        grown < MOST,
        "{grown} bytes more after {ended} calls of {size}"
    );
    relay.thaw();
    let answered = call(&client, &text, callers, Duration::from_secs(20)).await;
    assert!(answered.iter().all(|end| *end == Ok(json!(size))));
    client.close().await;
}

/// Makes so many calls at once.
async fn call(
    client: &Rpc,
    text: &str,
    callers: usize,
    limit: Duration,
) -> Vec<Result<Value, RpcError>> {
    let call = || {
        client
            .call("length", json!({ "text": text }))
            .timeout(limit)
    };
    join_all((0..callers).map(|_| call())).await
}

/// The memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() << 10
}

/// What all calls in flight bring, in bytes.
const HELD: usize = 4 << 20;

/// What is called in vain, in all.
const ENOUGH: usize = 64 << 20;

/// How much more memory it may be then.
const MOST: usize = 32 << 20;
