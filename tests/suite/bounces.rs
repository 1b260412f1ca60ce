//! Calls that come back to their callers unanswered.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use rpc_core::{QueueOptions, Rpc, RpcError};
use rpc_tests::{RawPeer, long, table};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::probe::{Nap, Tally};
use crate::site::{Site, builder, eventually, on_both};

on_both! {
    /// END-6
    async fn a_call_that_no_server_takes_in_time_expires_and_never_runs(site) {
        let (client, server, tally) = busy(site).await;
        let limit = Duration::from_secs(4);
        let start = Instant::now();
        let error = client.call("nap", json!({"millis": 0})).timeout(limit).await.unwrap_err();
        let RpcError::Expired { method, after, servers, waiting, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!((method.as_str(), *after), ("nap", limit));
        assert_eq!((*servers, *waiting), (Some(1), Some(0)));
        assert!(error.to_string().contains("none of its servers (1) was free"), "{error}");
        assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
        assert_eq!(client.in_flight(), 1, "the call that keeps the server busy");
        server.close().await;
        assert_eq!((tally.started(), tally.finished()), (1, 1));
    }

    /// END-6
    async fn a_call_expires_while_its_servers_are_away(site) {
        let client = site.rpc().await;
        let server = client.register("nap", |_: Value| async { Ok::<_, String>(0) }).await.unwrap();
        server.shutdown().await.unwrap();
        // The queue is still there, so the call waits for a server to come.
        let error = client.call("nap", ()).timeout(Duration::from_secs(2)).await.unwrap_err();
        assert!(matches!(error, RpcError::Expired { servers: Some(0), .. }), "{error:?}");
        assert!(error.to_string().contains("start one"), "{error}");
        let waiting = tokio::spawn(client.call("nap", ()));
        eventually("it waits", || async { site.depth("nap").await == 1 }).await;
        client.register("nap", |_: Value| async { Ok::<_, String>(7) }).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), json!(7));
    }

    /// END-7
    async fn a_full_queue_gives_overloaded_at_once(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        client
            .register("nap", move |nap: Nap| handler.clone().nap(nap))
            .concurrency(1)
            .queue(QueueOptions::default().max_length(1))
            .await
            .unwrap();
        let running = tokio::spawn(client.call("nap", json!({"millis": 600})));
        eventually("it runs", || async { tally.started() == 1 }).await;
        let waiting = tokio::spawn(client.call("nap", json!({"millis": 1})));
        eventually("one waits", || async { site.depth("nap").await == 1 }).await;
        let error = client.call("nap", json!({"millis": 2})).await.unwrap_err();
        assert!(matches!(&error, RpcError::Overloaded { method, .. } if method == "nap"), "{error:?}");
        assert_eq!(running.await.unwrap().unwrap(), json!(600));
        assert_eq!(waiting.await.unwrap().unwrap(), json!(1));
        assert_eq!(tally.started(), 2);
    }

    /// QUORUM-1
    async fn a_confirmed_call_waits_for_room_in_its_queue(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        client
            .register("nap", move |nap: Nap| handler.clone().nap(nap))
            .concurrency(1)
            .queue(QueueOptions::default().argument("x-max-length", 1).argument("x-overflow", "reject-publish"))
            .await
            .unwrap();
        let nap = |millis| client.call("nap", json!({"millis": millis})).confirmed(true);
        let running = tokio::spawn(nap(1500));
        eventually("it runs", || async { tally.started() == 1 }).await;
        let next = tokio::spawn(nap(1));
        eventually("one waits", || async { site.depth("nap").await == 1 }).await;
        let (start, limit) = (Instant::now(), Duration::from_millis(300));
        let error = nap(2).timeout(limit).await.unwrap_err();
        assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
        assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
        let hasty = builder(site.url()).fail_fast(true).connect().await.unwrap();
        let error = hasty.call("nap", json!({"millis": 3})).confirmed(true).await.unwrap_err();
        assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
        assert_eq!(tally.started(), 1);
        assert_eq!(nap(4).await.unwrap(), json!(4));
        assert_eq!(running.await.unwrap().unwrap(), json!(1500));
        assert_eq!(next.await.unwrap().unwrap(), json!(1));
        assert_eq!((tally.started(), client.in_flight()), (3, 0));
    }

    async fn a_client_has_no_more_in_flight_than_it_may(site) {
        let (_client, _server) = site.client_and_server().await;
        let client = builder(site.url()).max_in_flight(2).connect().await.unwrap();
        let nap = |millis| client.call("nap", json!({"millis": millis}));
        let running = [tokio::spawn(nap(60_000)), tokio::spawn(nap(60_000))];
        eventually("two are in flight", || async { client.in_flight() == 2 }).await;
        let error = nap(1).timeout(Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
        assert!(error.to_string().contains("2 calls are in flight"), "{error}");
        let waiting = tokio::spawn(nap(1));
        running.iter().for_each(tokio::task::JoinHandle::abort);
        assert_eq!(waiting.await.unwrap().unwrap(), json!(1));

        let hasty = builder(site.url()).max_in_flight(0).fail_fast(true).connect().await.unwrap();
        let running = tokio::spawn(hasty.call("nap", json!({"millis": 60_000})));
        eventually("one is in flight", || async { hasty.in_flight() == 1 }).await;
        let error = hasty.call("nap", json!({"millis": 1})).await.unwrap_err();
        assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
        running.abort();
    }

    /// Neither at the client nor at the broker, however many callers wait for a server that answers none.
    async fn a_slow_server_lets_no_more_calls_pile_up_than_the_client_may_have_in_flight(site) {
        let (server, gate, tally) = (site.rpc().await, Arc::new(Semaphore::new(0)), Tally::default());
        let (closed, handler) = (Arc::clone(&gate), tally.clone());
        let wait = move |nap: Nap| {
            let (gate, tally) = (Arc::clone(&closed), handler.clone());
            async move {
                drop(gate.acquire().await);
                tally.nap(nap).await
            }
        };
        server.register("nap", wait).concurrency(2).await.unwrap();
        let client = builder(site.url()).max_in_flight(8).connect().await.unwrap();
        let call = |_| tokio::spawn(client.call("nap", json!({"millis": 0})));
        let calls: Vec<_> = (0..1000).map(call).collect();
        eventually("some are in flight", || async { client.in_flight() == 8 }).await;
        // Time for more to follow, if they might.
        for _ in 0..10 {
            sleep(Duration::from_millis(20)).await;
            assert_eq!(client.in_flight(), 8);
            assert!(site.depth("nap").await <= 8);
        }
        gate.add_permits(2);
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), json!(0));
        }
        assert_eq!((tally.finished(), client.in_flight()), (1000, 0));
    }
}

/// It cannot refuse the new call, so the one that has waited longest has to go.
/// END-7, QUORUM-1, QUORUM-2
#[tokio::test]
async fn a_full_quorum_queue_gives_the_oldest_call_overloaded_at_once() {
    let site = Site::rabbitmq().await;
    let client = site.rpc().await;
    let tally = Tally::default();
    let handler = tally.clone();
    client
        .register("nap", move |nap: Nap| handler.clone().nap(nap))
        .concurrency(1)
        .queue(QueueOptions::default().quorum().max_length(1))
        .await
        .unwrap();
    // Confirmed as clients of a trait make their calls to such a queue, and without.
    for confirmed in [true, false] {
        let before = tally.finished();
        let nap = |millis| {
            let call = client.call("nap", json!({"millis": millis}));
            tokio::spawn(if confirmed {
                call.confirmed(true)
            } else {
                call
            })
        };
        let running = nap(4000);
        eventually("it runs", || async { tally.started() == before + 1 }).await;
        let oldest = nap(1);
        eventually("one waits", || async { site.depth("nap").await == 1 }).await;
        let newest = nap(2);
        let error = oldest.await.unwrap().unwrap_err();
        assert!(
            matches!(&error, RpcError::Overloaded { method, .. } if method == "nap"),
            "{error:?}"
        );
        assert_eq!(tally.finished(), before, "it waited for the one that runs");
        assert_eq!(running.await.unwrap().unwrap(), json!(4000));
        assert_eq!(newest.await.unwrap().unwrap(), json!(2));
        assert_eq!(tally.started(), before + 2);
    }
}

/// END-9
#[tokio::test]
async fn a_call_that_its_quorum_queue_gives_up_is_rejected() {
    let site = Site::rabbitmq().await;
    let client = site.rpc().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let arguments = table(&[
        ("x-queue-type", long("quorum")),
        ("x-delivery-limit", 1.into()),
        ("x-dead-letter-exchange", long("rpc.dlx")),
    ]);
    peer.declare("nap", options, arguments).await.unwrap();
    let call = tokio::spawn(client.call("nap", ()));
    // Servers that are lost with it.
    for _ in 0..2 {
        let server = RawPeer::connect(site.url()).await.unwrap();
        server.consume("nap").await.unwrap().next().await.unwrap();
        server.close().await.unwrap();
    }
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(
        error,
        RpcError::Rejected {
            method: "nap".into()
        }
    );
}

/// A client, and the one server of `nap`, which runs one call at a time and is at it.
async fn busy(site: &Site) -> (Rpc, Rpc, Tally) {
    let (client, server) = (site.rpc().await, site.rpc().await);
    let tally = Tally::default();
    let handler = tally.clone();
    server
        .register("nap", move |nap: Nap| handler.clone().nap(nap))
        .concurrency(1)
        .await
        .unwrap();
    tokio::spawn(client.call("nap", json!({"millis": 6000})));
    eventually("the server is busy", || async { tally.started() == 1 }).await;
    (client, server, tally)
}
