//! Calls that are sent again because their method says that this is safe.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_core::{MemoryBroker, rpc_service};
use serde_json::{Value, json};

use crate::site::{Line, assert_lost, connect, eventually, on_both};

#[rpc_service]
trait Counter {
    /// Says how many calls came before; the first never gets so far.
    #[rpc(idempotent)]
    async fn again(&self) -> u32;
    /// The same, but not to be called twice.
    async fn once(&self) -> u32;
}

#[derive(Clone, Default)]
struct Starts(Arc<AtomicU32>);

impl Starts {
    async fn next(&self) -> u32 {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => pending().await,
            before => before,
        }
    }

    async fn first(&self) {
        eventually("the handler has started", || async {
            self.0.load(Ordering::SeqCst) > 0
        })
        .await;
    }
}

impl Counter for Starts {
    async fn again(&self) -> u32 {
        self.next().await
    }

    async fn once(&self) -> u32 {
        self.next().await
    }
}

on_both! {
    async fn an_idempotent_call_outlives_its_connection(site) {
        site.uses(&["again", "once"]).await;
        let line = Line::to(site).await;
        let (starts, server) = (Starts::default(), site.rpc().await);
        server.serve(CounterServer::new(starts.clone())).await.unwrap();
        let client = connect(line.url(site)).await.unwrap();
        let call = tokio::spawn(CounterClient::new(&client).again());
        starts.first().await;
        line.cut().await;
        assert!(call.await.unwrap().unwrap() > 0);
        assert_eq!(client.in_flight(), 0);
    }

    async fn an_untyped_call_can_be_idempotent_too(site) {
        site.uses(&["again", "once"]).await;
        let line = Line::to(site).await;
        let (starts, server) = (Starts::default(), site.rpc().await);
        server.serve(CounterServer::new(starts.clone())).await.unwrap();
        let client = connect(line.url(site)).await.unwrap();
        let call = tokio::spawn(client.call("again", ()).idempotent(true));
        starts.first().await;
        line.cut().await;
        assert!(call.await.unwrap().unwrap() != json!(0));
    }

    async fn any_other_call_is_not_sent_again(site) {
        site.uses(&["again", "once"]).await;
        let line = Line::to(site).await;
        let (starts, server) = (Starts::default(), site.rpc().await);
        server.serve(CounterServer::new(starts.clone())).await.unwrap();
        let client = connect(line.url(site)).await.unwrap();
        let call = tokio::spawn(CounterClient::new(&client).once());
        starts.first().await;
        line.cut().await;
        let error = call.await.unwrap().unwrap_err();
        assert_lost(&error);
        // The next call works, and is the second.
        eventually("the server serves again", || async {
            matches!(CounterClient::new(&client).once().await, Ok(1..))
        })
        .await;
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_sent_again_says_how_it_went_when_it_was_sent() {
    let broker = MemoryBroker::named("not again");
    let rpc = connect("memory://not again").await.unwrap();
    let starts = Starts::default();
    rpc.serve(CounterServer::new(starts.clone())).await.unwrap();
    let call = CounterClient::new(&rpc).again();
    let call = tokio::spawn(call.timeout(Duration::from_millis(500)));
    starts.first().await;
    broker.stop();
    let error = call.await.unwrap().unwrap_err();
    // Not `NotConnected`, which would mean that it did not run.
    assert_lost(&error);
}

#[tokio::test]
async fn a_method_that_has_gone_meanwhile_does_not_hide_that_the_call_may_have_run() {
    let broker = MemoryBroker::named("gone meanwhile");
    let client = connect("memory://gone meanwhile").await.unwrap();
    let server = connect("memory://gone meanwhile").await.unwrap();
    let never = |_: Value| async { pending::<Result<(), String>>().await };
    let options = rpc_core::QueueOptions::default().durable(false);
    server
        .register("never", never)
        .queue(options)
        .await
        .unwrap();
    let call = tokio::spawn(client.call("never", ()).idempotent(true));
    eventually("the call is in flight", || async {
        client.in_flight() == 1
    })
    .await;
    // Its queue goes with the broker, and the server does not come back.
    broker.stop();
    drop(server);
    broker.start();
    let error = call.await.unwrap().unwrap_err();
    assert_lost(&error);
}
