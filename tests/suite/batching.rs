//! Calls in batches. That batching changes nothing else is tested by the whole suite, which
//! `RPC_TESTS_BATCHING` runs with every call in a batch (`always`) or with none (`off`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Batching, Rpc, RpcError};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::probe::{Nap, Tally};
use crate::site::{Line, Site, assert_lost, eventually, on_both};

async fn rpc(site: &Site, batching: Batching) -> Rpc {
    let builder = Rpc::builder(site.url()).batching(batching);
    builder.connect().await.unwrap()
}

/// Makes calls of `nap` at once.
fn naps(client: &Rpc, count: u64, millis: u64) -> Vec<JoinHandle<Outcome>> {
    let nap = |_| tokio::spawn(client.call("nap", json!({ "millis": millis })));
    (0..count).map(nap).collect()
}

type Outcome = Result<Value, RpcError>;

on_both! {
    /// BATCH-15
    async fn batches_that_no_server_takes_go_as_calls(site) {
        let client = rpc(site, Batching::always()).await;
        let error = client.call("nap", json!({"millis": 1})).await.unwrap_err();
        assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");
        let server = rpc(site, Batching::off()).await;
        let tally = Tally::default();
        let handler = tally.clone();
        server.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        for call in naps(&client, 200, 1) {
            assert_eq!(call.await.unwrap().unwrap(), json!(1));
        }
        assert_eq!((tally.started(), tally.finished()), (200, 200));
    }

    /// Calls of batches and others share the places of a method.
    /// TOPO-9, BATCH-10
    async fn no_more_calls_run_at_a_time_than_the_server_allows(site) {
        let server = rpc(site, Batching::default()).await;
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (handler, seen) = (Arc::clone(&running), Arc::clone(&most));
        let nap = move |_: Value| {
            let (running, most) = (Arc::clone(&handler), Arc::clone(&seen));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(50)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(())
            }
        };
        server.register("nap", nap).concurrency(64).await.unwrap();
        let together = rpc(site, Batching::always()).await;
        let alone = rpc(site, Batching::off()).await;
        let calls = naps(&together, 150, 50).into_iter().chain(naps(&alone, 150, 50));
        for call in join_all(calls).await {
            call.unwrap().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 64);
    }

    /// BATCH-9
    async fn each_call_of_a_batch_has_its_own_end(site) {
        let (client, server) = (rpc(site, Batching::always()).await, rpc(site, Batching::default()).await);
        crate::site::serve(&server, crate::probe::Real).await;
        client.call("nap", json!({"millis": 1})).await.unwrap();
        let call = |args: Value| client.call("nap", args);
        let dropped = tokio::spawn(call(json!({"millis": 60_001})));
        let calls = [
            tokio::spawn(call(json!({"millis": 2}))),
            tokio::spawn(call(json!({"millis": "long"}))),
            tokio::spawn(call(json!({"millis": 60_000})).timeout(Duration::from_millis(300))),
            tokio::spawn(call(json!({"millis": 3})).header("tenant", "acme")),
        ];
        tokio::task::yield_now().await;
        dropped.abort();
        let [two, wrong, late, three] = join_all(calls).await.try_into().unwrap();
        assert_eq!(two.unwrap().unwrap(), json!(2));
        let RpcError::Remote(error) = wrong.unwrap().unwrap_err() else {
            panic!("no error of the server");
        };
        assert_eq!(error.kind, "rpc.InvalidArguments");
        let error = late.unwrap().unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
        assert_eq!(three.unwrap().unwrap(), json!(3));
        eventually("nothing is left", || async { client.in_flight() == 0 }).await;
        let context = client.call("context", ()).header("tenant", "acme").await.unwrap();
        assert_eq!(context["headers"]["tenant"], json!("acme"), "{context}");
        assert_eq!(context["redelivered"], json!(false), "{context}");
    }

    /// BATCH-9, END-13
    async fn a_connection_that_is_lost_ends_each_call_of_its_batches(site) {
        let line = Line::to(site).await;
        let builder = Rpc::builder(line.url(site)).batching(Batching::always());
        let client = builder.connect().await.unwrap();
        let server = rpc(site, Batching::default()).await;
        let tally = Tally::default();
        let handler = tally.clone();
        server.register("nap", move |nap: Nap| handler.clone().nap(nap)).await.unwrap();
        let calls = naps(&client, 100, 600_000);
        eventually("all run", || async { tally.started() == 100 }).await;
        line.cut().await;
        for call in calls {
            assert_lost(&call.await.unwrap().unwrap_err());
        }
        assert_eq!(client.in_flight(), 0);
    }

    /// The batch goes to another server, which runs none of it again.
    /// BATCH-12
    async fn a_server_that_is_lost_interrupts_each_call_of_its_batches(site) {
        let client = rpc(site, Batching::always()).await;
        let tally = Tally::default();
        let serve = |rpc: &Rpc| {
            let handler = tally.clone();
            rpc.register("nap", move |nap: Nap| handler.clone().nap(nap))
        };
        let first = rpc(site, Batching::default()).await;
        serve(&first).await.unwrap();
        let calls = naps(&client, 50, 600_000);
        eventually("all run", || async { tally.started() == 50 }).await;
        let second = rpc(site, Batching::default()).await;
        serve(&second).await.unwrap();
        drop(first);
        for call in calls {
            let error = call.await.unwrap().unwrap_err();
            assert!(matches!(error, RpcError::Interrupted { .. }), "{error:?}");
        }
        assert_eq!((tally.started(), tally.finished()), (50, 0));
        for call in naps(&client, 50, 1) {
            assert_eq!(call.await.unwrap().unwrap(), json!(1));
        }
    }

    /// It is told to its caller though all places are taken, and so cannot be handed back as if it
    /// were new. BATCH-12
    async fn a_call_that_must_not_run_needs_no_place(site) {
        let (together, alone) = (rpc(site, Batching::always()).await, rpc(site, Batching::off()).await);
        let tally = Tally::default();
        let serve = |rpc: &Rpc| {
            let handler = tally.clone();
            rpc.register("nap", move |nap: Nap| handler.clone().nap(nap)).concurrency(64)
        };
        let first = rpc(site, Batching::default()).await;
        serve(&first).await.unwrap();
        site.open_lanes("nap", 1).await;
        let calls = naps(&together, 10, 600_000);
        eventually("they run", || async { tally.started() == 10 }).await;
        let second = rpc(site, Batching::default()).await;
        serve(&second).await.unwrap();
        site.open_lanes("nap", 2).await;
        let others = naps(&alone, 128, 600_000);
        eventually("both servers are busy", || async { tally.started() == 128 }).await;
        drop(first);
        for call in calls {
            let end = timeout(Duration::from_secs(10), call).await.expect("it waits for a place");
            let error = end.unwrap().unwrap_err();
            assert!(matches!(error, RpcError::Interrupted { .. }), "{error:?}");
        }
        assert_eq!((tally.started(), tally.finished()), (128, 0));
        others.iter().for_each(JoinHandle::abort);
    }

    /// Batches keep all places of a server that leaves, so that calls which came by themselves wait
    /// for one. LEAVE-2, LEAVE-7
    async fn a_server_that_leaves_hands_back_what_waits_for_a_place(site) {
        let (together, alone) = (rpc(site, Batching::always()).await, rpc(site, Batching::off()).await);
        let builder = Rpc::builder(site.url()).shutdown_grace(Duration::from_millis(100));
        let (leaves, stays) = (builder.connect().await.unwrap(), rpc(site, Batching::off()).await);
        let tallies = [Tally::default(), Tally::default()];
        let serve = |rpc: &Rpc, tally: &Tally| {
            let handler = tally.clone();
            rpc.register("nap", move |nap: Nap| handler.clone().nap(nap)).concurrency(64)
        };
        let server = serve(&leaves, &tallies[0]).await.unwrap();
        site.open_lanes("nap", 1).await;
        let running = naps(&together, 64, 600_000);
        eventually("it is busy", || async { tallies[0].started() == 64 }).await;
        let waiting = naps(&alone, 10, 1);
        eventually("they are taken", || async { alone.in_flight() == 10 && site.depth("nap").await == 0 }).await;
        serve(&stays, &tallies[1]).await.unwrap();
        server.shutdown().await.unwrap_err();
        for call in waiting {
            assert_eq!(call.await.unwrap().unwrap(), json!(1));
        }
        for call in running {
            let error = call.await.unwrap().unwrap_err();
            assert!(matches!(error, RpcError::Interrupted { .. }), "{error:?}");
        }
        assert_eq!((tallies[0].started(), tallies[1].started()), (64, 10));
    }

    /// The only server that takes batches leaves under load, while one that takes none stays.
    /// BATCH-13
    async fn a_server_that_leaves_hands_back_its_batches(site) {
        let client = rpc(site, Batching::default()).await;
        let (stays, leaves) = (rpc(site, Batching::off()).await, rpc(site, Batching::default()).await);
        let tally = Tally::default();
        let serve = |rpc: &Rpc| {
            let handler = tally.clone();
            rpc.register("nap", move |nap: Nap| handler.clone().nap(nap))
        };
        serve(&stays).await.unwrap();
        for _ in 0..3 {
            let server = serve(&leaves).await.unwrap();
            let callers = (0..100).map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..100 {
                        client.call("nap", json!({"millis": 0})).await?;
                    }
                    Ok::<_, RpcError>(())
                })
            });
            let callers: Vec<_> = callers.collect();
            let before = tally.finished();
            eventually("some are done", || async { tally.finished() > before + 1000 }).await;
            server.shutdown().await.unwrap();
            for caller in callers {
                caller.await.unwrap().unwrap();
            }
        }
        assert_eq!((tally.started(), tally.finished()), (30_000, 30_000));
    }
}
