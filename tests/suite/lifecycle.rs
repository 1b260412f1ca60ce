//! Servers that start, share, stop and leave.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{
    ConnectError, MemoryBroker, Method, QueueOptions, Rpc, RpcError, ServeError, Service,
    rpc_service,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::probe::{Nap, ProbeClient, ProbeServer, Real, Tally};
use crate::site::{builder, connect, eventually, on_both, serve};

on_both! {
    async fn a_client_may_come_before_its_server(site) {
        let client = site.rpc().await;
        let probe = ProbeClient::new(&client);
        let error = probe.add(1, 2).await.unwrap_err();
        assert_eq!(error, RpcError::no_such_method("add"));
        let server = site.rpc().await;
        serve(&server, Real).await;
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
    }

    async fn a_handle_calls_and_serves_and_outlives_its_server_handle(site) {
        let rpc = site.rpc().await;
        drop(rpc.serve(ProbeServer::new(Real)).await.unwrap());
        let probe = ProbeClient::new(&rpc);
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
        let clone = rpc.clone();
        drop(rpc);
        assert_eq!(ProbeClient::new(&clone).add(2, 2).await.unwrap(), 4);
    }

    async fn a_server_ends_with_the_last_handle(site) {
        let client = site.rpc().await;
        let server = site.rpc().await;
        drop(serve(&server, Real).await);
        let probe = ProbeClient::new(&client);
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
        drop(server);
        // What the server had taken at its end is back in the queue, and nobody takes it from there.
        eventually("a call waits", || async {
            // One after the other, since the server may still have answered the first.
            drop(tokio::spawn(
                probe.add(1, 2).timeout(Duration::from_secs(5)),
            ));
            site.depth("add").await > 0
        })
        .await;
    }

    /// LEAVE-1
    async fn shutdown_finishes_what_was_started(site) {
        let client = site.rpc().await;
        let server = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        let server = server.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        let call = tokio::spawn(client.call("nap", json!({"millis": 300})));
        eventually("it runs", || async { tally.started() == 1 }).await;
        server.shutdown().await.unwrap();
        assert_eq!(tally.finished(), 1);
        assert_eq!(call.await.unwrap().unwrap(), json!(300));
        server.join().await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(client.in_flight(), 0);
    }

    /// LEAVE-7, KIND-4
    async fn shutdown_drops_what_outlives_the_grace_period(site) {
        let client = site.rpc().await;
        let rpc = builder(site.url()).shutdown_grace(Duration::from_millis(50)).connect().await.unwrap();
        let tally = Tally::default();
        let handler = tally.clone();
        let server = rpc.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        let call = |_| tokio::spawn(client.call("nap", json!({"millis": 60_000})));
        let calls: Vec<_> = (0..3).map(call).collect();
        eventually("they run", || async { tally.started() == 3 }).await;
        let error = server.shutdown().await.unwrap_err();
        assert!(matches!(error, ServeError::GraceExceeded { unfinished: 3, .. }), "{error:?}");
        // The callers are told at once, and no other server runs them.
        for call in calls {
            let error = call.await.unwrap().unwrap_err();
            assert_eq!(error, RpcError::interrupted("nap"));
        }
        assert_eq!(site.depth("nap").await, 0);
        assert_eq!((tally.started(), tally.finished()), (3, 0));
    }

    /// As above, but the server is gone without a word.
    /// SERVE-2, KIND-4, END-3
    async fn a_call_whose_server_was_lost_is_interrupted_by_the_next_one(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let first = site.rpc().await;
        let handler = tally.clone();
        drop(first.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap());
        let call = tokio::spawn(client.call("nap", json!({"millis": 60_000})));
        eventually("it runs", || async { tally.started() == 1 }).await;
        drop(first);
        let second = site.rpc().await;
        let handler = tally.clone();
        second.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error, RpcError::interrupted("nap"));
        assert_eq!((tally.started(), tally.finished()), (1, 0));
    }

    async fn a_server_that_cannot_start_takes_no_call(site) {
        // Not in batches: they are counted.
        let client = Rpc::connect(site.url()).await.unwrap();
        site.uses(&["taken"]).await;
        let options = QueueOptions::default().argument("x-max-length", 7);
        let other = client.register("taken", |_: Value| async { Ok::<_, String>(1) }).queue(options).await.unwrap();
        client.register("nap", |_: Value| async { Ok::<_, String>(1) }).await.unwrap().shutdown().await.unwrap();
        let calls: Vec<_> = (0..50).map(|_| tokio::spawn(client.call("nap", ()))).collect();
        eventually("all wait", || async { site.depth("nap").await == 50 }).await;
        let error = site.rpc().await.serve(NapAndTakenServer::new(One)).await.unwrap_err();
        assert!(error.to_string().contains("`taken`"), "{error}");
        client.register("nap", |_: Value| async { Ok::<_, String>(2) }).await.unwrap();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), json!(2));
        }
        drop(other);
    }

    async fn a_service_without_methods_waits_for_its_shutdown(site) {
        let rpc = site.rpc().await;
        let server = rpc.serve(Nothing).await.unwrap();
        assert!(timeout(Duration::from_millis(50), server.join()).await.is_err());
        server.shutdown().await.unwrap();
    }

    async fn a_handler_that_panics_when_it_is_dropped_frees_its_place(site) {
        let client = site.rpc().await;
        let explode = |_: Value| async {
            let _bomb = Bomb;
            sleep(Duration::from_secs(60)).await;
            Ok::<_, String>(())
        };
        client.register("explode", explode).concurrency(1).await.unwrap();
        for _ in 0..3 {
            let error = client.call("explode", ()).timeout(Duration::from_millis(200)).await.unwrap_err();
            let text = format!("{error:?}");
            assert!(matches!(error, RpcError::Timeout { .. } | RpcError::Remote(_)), "{text}");
        }
    }

    async fn an_endless_grace_period_is_no_panic(site) {
        let rpc = builder(site.url()).shutdown_grace(Duration::MAX).connect().await.unwrap();
        let server = rpc.register("nap", |_: Value| async { Ok::<_, String>(1) }).await.unwrap();
        server.shutdown().await.unwrap();
    }

    /// LEAVE-7
    async fn an_idempotent_call_of_a_lost_server_runs_again(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let first = builder(site.url()).shutdown_grace(Duration::ZERO).connect().await.unwrap();
        let handler = tally.clone();
        let server = first.register("nap", move |nap: Nap| handler.clone().nap(nap)).idempotent(true).await.unwrap();
        let call = tokio::spawn(client.call("nap", json!({"millis": 200})));
        eventually("it runs", || async { tally.started() == 1 }).await;
        server.shutdown().await.unwrap_err();
        let second = site.rpc().await;
        let handler = tally.clone();
        second.register("nap", move |nap: Nap| handler.clone().nap(nap)).idempotent(true).await.unwrap();
        assert_eq!(call.await.unwrap().unwrap(), json!(200));
        assert_eq!((tally.started(), tally.finished()), (2, 1));
    }

    /// Both servers take calls all the time; one leaves and comes back, again and again.
    /// LEAVE-1, LEAVE-2
    async fn a_rolling_restart_fails_no_call(site) {
        let client = site.rpc().await;
        let tally = Tally::default();
        let start = || {
            let handler = tally.clone();
            async {
                let rpc = site.rpc().await;
                let serving = rpc.register("nap", move |nap: Nap| handler.clone().nap(nap)).concurrency(20);
                serving.await.unwrap()
            }
        };
        let mut servers = [start().await, start().await];
        let callers: Vec<_> = (0..200)
            .map(|caller| {
                let client = client.clone();
                tokio::spawn(async move {
                    for n in 0..5 {
                        let millis = caller % 10 + n;
                        let answer = client.call("nap", json!({"millis": millis})).await.unwrap();
                        assert_eq!(answer, json!(millis));
                    }
                })
            })
            .collect();
        for n in 0..6 {
            servers[n % 2].shutdown().await.unwrap();
            servers[n % 2] = start().await;
        }
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(tally.started(), 1000, "each call ran once");
    }

    async fn two_servers_share_the_calls_of_a_method(site) {
        let client = site.rpc().await;
        let tallies = [Tally::default(), Tally::default()];
        let mut servers = Vec::new();
        for tally in &tallies {
            let rpc = site.rpc().await;
            let handler = tally.clone();
            servers.push(rpc.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap());
        }
        site.lanes("nap", 2).await;
        for answer in join_all((0..200).map(|_| client.call("nap", json!({"millis": 1})))).await {
            answer.unwrap();
        }
        let started = tallies.each_ref().map(Tally::started);
        assert_eq!(started[0] + started[1], 200);
        assert!(started.iter().all(|started| *started >= 50), "{started:?}");
    }

    /// LIMIT-1
    async fn a_method_is_registered_once_for_each_handle(site) {
        let rpc = site.rpc().await;
        let server = rpc.register("nap", |_: Value| async { Ok::<_, String>(1) }).await.unwrap();
        let error = rpc.serve(ProbeServer::new(Real)).await.unwrap_err();
        assert!(matches!(&error, ServeError::AlreadyRegistered { method, .. } if method == "nap"), "{error:?}");
        // The other methods of the service are free, so nothing of it was kept.
        rpc.register("add", |_: Value| async { Ok::<_, String>(1) }).await.unwrap();
        server.shutdown().await.unwrap();
        rpc.register("nap", |_: Value| async { Ok::<_, String>(2) }).await.unwrap();
        assert_eq!(rpc.call("nap", ()).await.unwrap(), json!(2));
        for name in [String::new(), "n".repeat(256), "amq.mine".into()] {
            let error = rpc.register(name, |_: Value| async { Ok::<_, String>(1) }).await.unwrap_err();
            assert!(matches!(error, ServeError::MethodName { .. }), "{error:?}");
        }
    }

    async fn close_ends_servers_calls_and_later_use(site) {
        let (client, server) = site.client_and_server().await;
        let probe = ProbeClient::new(&client);
        assert_eq!(probe.add(1, 2).await.unwrap(), 3);
        let call = tokio::spawn(probe.nap(20_000));
        eventually("the call is in flight", || async { client.in_flight() == 1 }).await;
        // A task, which takes a future that is `Send`.
        let closing = client.clone();
        tokio::spawn(async move { closing.close().await }).await.unwrap();
        let closed = |error: RpcError| matches!(error, RpcError::Closed { .. });
        assert!(closed(call.await.unwrap().unwrap_err()));
        assert!(closed(probe.add(1, 2).await.unwrap_err()));
        let error = client.serve(ProbeServer::new(Real)).await.unwrap_err();
        assert!(matches!(error, ServeError::Connect(ConnectError::Closed)), "{error:?}");
        assert_eq!(client.in_flight(), 0);
        drop(server);
    }
}

#[rpc_service]
trait NapAndTaken {
    async fn nap(&self) -> u8;
    async fn taken(&self) -> u8;
}

struct One;

impl NapAndTaken for One {
    async fn nap(&self) -> u8 {
        1
    }

    async fn taken(&self) -> u8 {
        1
    }
}

struct Nothing;

impl Service for Nothing {
    fn into_methods(self) -> Vec<Method> {
        Vec::new()
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_free_when_its_server_has_ended() {
    let rpc = connect("memory://").await.unwrap();
    for _ in 0..2000 {
        let server = rpc
            .register("nap", |_: Value| async { Ok::<_, String>(1) })
            .await
            .unwrap();
        server.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_a_shutdown() {
    let rpc = builder("memory://")
        .shutdown_grace(Duration::from_millis(50))
        .connect()
        .await
        .unwrap();
    let (started, mut starts) = mpsc::channel(1);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let block = move |_: Value| {
        let (started, released) = (started.clone(), Arc::clone(&released));
        async move {
            started.send(()).await.unwrap();
            // Until the test ends, one way or the other.
            released.lock().unwrap().recv().unwrap_err();
            Ok::<_, String>(1)
        }
    };
    let server = rpc.register("nap", block).await.unwrap();
    let call = tokio::spawn(rpc.call("nap", ()));
    starts.recv().await.unwrap();
    let error = timeout(Duration::from_secs(20), server.shutdown())
        .await
        .expect("it hangs")
        .unwrap_err();
    assert!(
        matches!(error, ServeError::GraceExceeded { unfinished: 1, .. }),
        "{error:?}"
    );
    drop(release);
    call.abort();
}

#[tokio::test]
async fn serving_on_a_closed_handle_leaves_nothing_behind() {
    let broker = MemoryBroker::named("closed");
    let rpc = connect("memory://closed").await.unwrap();
    rpc.close().await;
    let error = rpc
        .register("nap", |_: Value| async { Ok::<_, String>(1) })
        .await
        .unwrap_err();
    assert!(
        matches!(error, ServeError::Connect(ConnectError::Closed)),
        "{error:?}"
    );
    assert!(broker.queues().is_empty(), "{:?}", broker.queues());
}
