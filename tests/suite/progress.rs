//! What an error says of how far a call got that was not answered in time.

use std::time::Duration;

use rpc_core::{Batching, Progress, Rpc, RpcError};
use rpc_tests::{RabbitNode, RawPeer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::probe::{ProbeClient, Real};
use crate::site::{Site, connect, eventually, on_both, serve};

/// How far the call got.
fn progress(error: &RpcError) -> &Progress {
    match error {
        RpcError::Timeout { progress, .. } => progress,
        other => panic!("not a timeout: {other:?}"),
    }
}

on_both! {
    async fn a_server_of_this_library_says_that_it_stopped(site) {
        let (client, _server) = site.client_and_server().await;
        let nap = ProbeClient::new(&client).nap(60_000).timeout(Duration::from_secs(4));
        let error = nap.await.unwrap_err();
        assert_eq!(*progress(&error), Progress::Stopped, "{error}");
    }

    /// Behind a call that does not expire, so that its own expiration does not act.
    async fn no_server_is_there(site) {
        let (client, server) = (site.rpc().await, site.rpc().await);
        serve(&server, Real).await.shutdown().await.unwrap();
        client.call("nap", json!({"millis": 1})).one_way().await.unwrap();
        let nap = client.call("nap", json!({"millis": 1})).timeout(Duration::from_secs(4));
        let error = nap.await.unwrap_err();
        assert_eq!(*progress(&error), Progress::Queued { calls: 2, servers: 0 }, "{error}");
        assert!(error.to_string().contains("no server takes any"), "{error}");
    }

    async fn all_servers_are_busy(site) {
        site.uses(&["busy"]).await;
        let (client, server) = (site.rpc().await, site.rpc().await);
        let busy = |_: Value| async { std::future::pending::<Result<(), String>>().await };
        server.register("busy", busy).concurrency(1).await.unwrap();
        let running = tokio::spawn(client.call("busy", ()));
        eventually("the server is busy", || async {
            client.in_flight() == 1 && site.depth("busy").await == 0
        })
        .await;
        client.call("busy", ()).one_way().await.unwrap();
        let error = client.call("busy", ()).timeout(Duration::from_secs(4)).await.unwrap_err();
        assert_eq!(*progress(&error), Progress::Queued { calls: 2, servers: 1 }, "{error}");
        running.abort();
    }

    /// Behind a batch that does not expire as soon, while the server has as many as it takes: of 64 calls, two.
    async fn a_call_waits_in_a_batch(site) {
        site.uses(&["busy"]).await;
        let server = Rpc::connect(site.url()).await.unwrap();
        let busy = |_: Value| async { std::future::pending::<Result<(), String>>().await };
        server.register("busy", busy).concurrency(64).await.unwrap();
        site.open_lanes("busy", 1).await;
        let client = Rpc::builder(site.url()).batching(Batching::always()).connect().await.unwrap();
        let mut running = Vec::new();
        for (made, waiting) in [(1, 0), (2, 0), (3, 1)] {
            running.push(tokio::spawn(client.call("busy", ())));
            eventually("its batch is where it belongs", || async {
                client.in_flight() == made && site.depth("busy").await == waiting
            })
            .await;
            // The batch may still have been on its way to the broker.
            sleep(Duration::from_millis(100)).await;
            assert_eq!(site.depth("busy").await, waiting);
        }
        let error = client.call("busy", ()).timeout(Duration::from_secs(4)).await.unwrap_err();
        assert_eq!(*progress(&error), Progress::Queued { calls: 2, servers: 1 }, "{error}");
        running.iter().for_each(tokio::task::JoinHandle::abort);
    }

    async fn there_was_no_time_to_send_it(site) {
        let (client, _server) = site.client_and_server().await;
        let error = client.call("nap", json!({"millis": 1})).timeout(Duration::ZERO).await.unwrap_err();
        assert_eq!(*progress(&error), Progress::NotSent, "{error}");
    }

    /// Many at once share one look, and none is late for it.
    async fn a_look_holds_no_error_up(site) {
        let (client, server) = (site.rpc().await, site.rpc().await);
        serve(&server, Real).await.shutdown().await.unwrap();
        client.call("nap", json!({"millis": 1})).one_way().await.unwrap();
        let limit = Duration::from_secs(4);
        let start = Instant::now();
        let naps: Vec<_> = (0..200)
            .map(|_| tokio::spawn(client.call("nap", json!({"millis": 1})).timeout(limit)))
            .collect();
        for nap in naps {
            let error = nap.await.unwrap().unwrap_err();
            assert!(matches!(progress(&error), Progress::Queued { servers: 0, .. }), "{error}");
        }
        // The promise itself is measured on a quiet machine, in `timing`.
        assert!(start.elapsed() < limit + Duration::from_secs(5));
        eventually("nothing is left", || async { client.in_flight() == 0 }).await;
    }
}

#[tokio::test]
async fn a_server_that_is_silent_has_taken_the_call() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("nap").await.unwrap();
    let mut calls = peer.consume("nap").await.unwrap();
    let client = site.rpc().await;
    let nap = client.call("nap", ()).timeout(Duration::from_secs(4));
    let (error, taken) = tokio::join!(nap, calls.next());
    taken.unwrap();
    let error = error.unwrap_err();
    assert_eq!(*progress(&error), Progress::Taken { servers: 1 }, "{error}");
    assert!(
        error.to_string().contains("a server has taken it"),
        "{error}"
    );

    peer.delete("nap").await.unwrap();
    let nap = client.call("nap", ()).timeout(Duration::from_secs(4));
    assert!(matches!(
        nap.await.unwrap_err(),
        RpcError::NoSuchMethod { .. }
    ));
}

#[tokio::test]
async fn a_broker_that_is_frozen_says_nothing() {
    let mut node = RabbitNode::start().await.unwrap();
    let client = connect(node.url()).await.unwrap();
    let server = connect(node.url()).await.unwrap();
    serve(&server, Real).await;
    let nap = tokio::spawn(
        ProbeClient::new(&client)
            .nap(60_000)
            .timeout(Duration::from_secs(4)),
    );
    eventually("the call is in flight", || async {
        client.in_flight() == 1
    })
    .await;
    node.pause().unwrap();
    let error = nap.await.unwrap().unwrap_err();
    assert_eq!(*progress(&error), Progress::Unknown, "{error}");
    node.resume().unwrap();
}
