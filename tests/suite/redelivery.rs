//! Calls whose servers are lost, or leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use lapin::types::AMQPValue;
use rpc_core::{Call, QueueOptions, Rpc, RpcError};
use rpc_tests::{RawPeer, call_properties, reply_properties};
use serde_json::{Value, json};

use crate::probe::{METHODS, Nap, Tally};
use crate::site::{Site, builder, eventually, on_both};

/// Serves `nap` so that it may run again, and keeps what no server survives.
async fn serve_again(rpc: &Rpc, tally: &Tally, options: QueueOptions) {
    let handler = tally.clone();
    let nap = move |nap: Nap| handler.clone().nap(nap);
    let serve = rpc.register("nap", nap).idempotent(true).queue(options);
    serve.dead_letter_queue("nap.lost").await.unwrap();
}

/// Loses two servers with one call, while a third waits.
async fn lose_two_servers(site: &Site, options: QueueOptions) {
    lose_two_servers_with(site, options, |call| call).await;
}

async fn lose_two_servers_with(
    site: &Site,
    options: QueueOptions,
    with: impl Fn(Call<Value>) -> Call<Value>,
) {
    site.uses(&["nap.lost"]).await;
    let client = site.rpc().await;
    let tally = Tally::default();
    let first = site.rpc().await;
    serve_again(&first, &tally, options.clone()).await;
    let call = tokio::spawn(with(client.call("nap", json!({"millis": 600_000}))));
    eventually("it runs", || async { tally.started() == 1 }).await;
    let second = site.rpc().await;
    serve_again(&second, &tally, options.clone()).await;
    drop(first);
    eventually("it runs again", || async { tally.started() == 2 }).await;
    let third = site.rpc().await;
    serve_again(&third, &tally, options).await;
    drop(second);

    let RpcError::Remote(error) = call.await.unwrap().unwrap_err() else {
        panic!("no error of the server");
    };
    assert_eq!(error.kind, "rpc.Poisoned", "{error}");
    assert!(error.message.contains("2 servers were lost"), "{error}");
    assert_eq!((tally.started(), tally.finished()), (2, 0));
    assert_eq!(site.depth("nap").await, 0);
    assert_eq!(site.depth("nap.lost").await, 1);
    // The server goes on.
    assert_eq!(
        client.call("nap", json!({"millis": 1})).await.unwrap(),
        json!(1)
    );
}

on_both! {
    /// LOST-1, LOST-3, KIND-7
    async fn a_call_that_takes_its_servers_with_it_is_given_up(site) {
        lose_two_servers(site, QueueOptions::default()).await;
    }

    /// The count is kept by the caller here.
    /// LOST-1, LOST-2
    async fn a_call_that_is_sent_again_takes_no_more_servers_with_it(site) {
        lose_two_servers_with(site, QueueOptions::default(), |call| call.idempotent(true)).await;
    }

    /// Two servers, ten restarts, 200 calls in flight at any time.
    /// LEAVE-1, LEAVE-2
    async fn a_rolling_restart_fails_no_call(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let start = || async {
            let rpc = site.rpc().await;
            let handler = tally.clone();
            let server = rpc.register("nap", move |nap: Nap| handler.clone().nap(nap));
            server.concurrency(64).await.unwrap()
        };
        let mut servers = vec![start().await, start().await];
        let enough = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..200)
            .map(|_| {
                let (client, enough) = (client.clone(), Arc::clone(&enough));
                tokio::spawn(async move {
                    let mut calls = 0;
                    while !enough.load(Ordering::Relaxed) {
                        let slept = client.call("nap", json!({"millis": 20})).await?;
                        assert_eq!(slept, json!(20));
                        calls += 1;
                    }
                    Ok::<usize, RpcError>(calls)
                })
            })
            .collect();
        for _ in 0..10 {
            let old = servers.remove(0);
            old.shutdown().await.unwrap();
            servers.push(start().await);
        }
        enough.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for caller in join_all(callers).await {
            calls += caller.unwrap().unwrap();
        }
        assert!(calls >= 200, "{calls}");
        assert_eq!((tally.started(), tally.finished()), (calls, calls));
    }
}

/// LOST-1, LOST-3, QUORUM-3
#[tokio::test]
async fn a_call_in_a_quorum_queue_that_takes_its_servers_with_it_is_given_up() {
    let site = Site::rabbitmq().await;
    lose_two_servers(&site, QueueOptions::default().quorum()).await;
}

/// As where a server is lost after it has told the caller, and before it has acked.
/// LOST-2
#[tokio::test]
async fn an_interrupted_call_that_was_not_acked_runs_as_the_one_that_was_sent_again_only() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("nap").await.unwrap();
    let mut calls = peer.consume("nap").await.unwrap();
    let client = site.rpc().await;
    let nap = client.call("nap", json!({"millis": 1})).idempotent(true);
    let nap = tokio::spawn(nap);
    let call = calls.next().await.unwrap();
    let properties = reply_properties("error", call.correlation_id().unwrap());
    let interrupted = json!({"error": {"type": "rpc.Interrupted", "message": "lost", "args": []}});
    let reply_to = call.reply_to().unwrap();
    peer.publish(reply_to, properties, interrupted.to_string())
        .await
        .unwrap();
    let again = calls.next().await.unwrap();
    assert_ne!(again.correlation_id(), call.correlation_id());
    assert_eq!(
        again.header("rpc-attempts"),
        Some(&AMQPValue::LongLongInt(1))
    );
    // The first goes back to its queue as delivered before, the second as if it had never been taken.
    let (properties, body) = (again.0.properties.clone(), again.0.data.clone());
    again.ack().await.unwrap();
    peer.close().await.unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.publish("nap", properties, body).await.unwrap();

    let tally = Tally::default();
    let server = site.rpc().await;
    serve_again(&server, &tally, QueueOptions::default()).await;
    assert_eq!(nap.await.unwrap(), Ok(json!(1)));
    eventually("nothing is left", || async { site.depth("nap").await == 0 }).await;
    assert_eq!((tally.started(), tally.finished()), (1, 1));
}

/// LOST-6
#[tokio::test]
async fn a_dead_letter_says_what_it_was() {
    let site = Site::rabbitmq().await;
    lose_two_servers(&site, QueueOptions::default()).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let mut letters = peer.consume("nap.lost").await.unwrap();
    let letter = letters.next().await.unwrap();
    assert_eq!(letter.json().unwrap(), json!({"millis": 600_000}));
    let method = letter.header("rpc-method").unwrap();
    assert_eq!(method.as_long_string().unwrap().as_bytes(), b"nap");
    assert_eq!(*letter.0.properties.delivery_mode(), Some(2));
    assert!(letter.reply_to().is_none());
}

/// CALL-6
#[tokio::test]
async fn the_broker_vouches_for_the_caller() {
    let site = Site::rabbitmq().await;
    let client = builder(site.url())
        .send_user_id(true)
        .connect()
        .await
        .unwrap();
    let server = site.rpc().await;
    crate::site::serve(&server, crate::probe::Real).await;
    let context = client.call("context", ()).await.unwrap();
    assert_eq!(context["user_id"], json!("guest"), "{context}");
    let context = server.call("context", ()).await.unwrap();
    assert_eq!(context["user_id"], json!(null), "{context}");
}

/// LOST-5
#[tokio::test]
async fn a_call_that_cannot_be_copied_does_not_run_again() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("nap").await.unwrap();
    let replies = peer.reply_queue().await.unwrap();
    let mut replied = peer.consume_no_ack(&replies).await.unwrap();
    let call = call_properties(&replies, "id").with_user_id("guest".into());
    peer.publish("nap", call, r#"{"millis": 1}"#).await.unwrap();
    let lost = RawPeer::connect(site.url()).await.unwrap();
    lost.consume("nap").await.unwrap().next().await.unwrap();
    lost.close().await.unwrap();

    let (server, tally) = (site.rpc().await, Tally::default());
    serve_again(&server, &tally, QueueOptions::default()).await;
    let reply = replied.next().await.unwrap();
    assert_eq!(reply.json().unwrap()["error"]["type"], "rpc.Interrupted");
    assert_eq!(tally.started(), 0);
}

/// Such a call cannot be given to another server as a new one, so it runs on the one that leaves.
/// LEAVE-6
#[tokio::test]
async fn a_call_with_a_user_id_outlives_a_rolling_restart() {
    let site = Site::rabbitmq().await;
    site.uses(METHODS).await;
    let client = builder(site.url())
        .send_user_id(true)
        .connect()
        .await
        .unwrap();
    let tally = Tally::default();
    for _ in 0..10 {
        let rpc = site.rpc().await;
        let handler = tally.clone();
        let nap = rpc.register("nap", move |nap: Nap| handler.clone().nap(nap));
        let server = nap.await.unwrap();
        let before = tally.started();
        let calls: Vec<_> = (0..100)
            .map(|_| {
                tokio::spawn(
                    client
                        .call("nap", json!({"millis": 1}))
                        .timeout(Duration::from_secs(20)),
                )
            })
            .collect();
        eventually("some have started", || async { tally.started() > before }).await;
        server.shutdown().await.unwrap();
        let rest = site.rpc().await;
        let handler = tally.clone();
        let nap = rest.register("nap", move |nap: Nap| handler.clone().nap(nap));
        let server = nap.await.unwrap();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), json!(1));
        }
        server.shutdown().await.unwrap();
    }
    assert_eq!((tally.started(), tally.finished()), (1000, 1000));
}
