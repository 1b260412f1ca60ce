//! Answers that come twice, or late: on `memory://`, with the clock of the tests stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{MemoryBroker, Rpc, RpcError, Server};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::site::connect;

/// A server that counts its calls.
struct Counter {
    broker: MemoryBroker,
    client: Rpc,
    runs: Arc<AtomicU64>,
    server: Server,
}

impl Counter {
    async fn new(name: &str) -> Self {
        let url = format!("memory://{name}");
        let runs = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&runs);
        let count = move |arguments: Value| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, String>(arguments["number"].clone()) }
        };
        let rpc = connect(&url).await.unwrap();
        Self {
            broker: MemoryBroker::named(name),
            client: connect(&url).await.unwrap(),
            runs,
            server: rpc.register("count", count).await.unwrap(),
        }
    }

    /// Makes so many calls at once; each returns its own number.
    async fn call(&self, count: u64, limit: Duration) -> Vec<Result<Value, RpcError>> {
        let calls = (0..count).map(|number| {
            let call = self.client.call("count", json!({ "number": number }));
            call.timeout(limit)
        });
        join_all(calls).await
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }

    /// Nothing is left of any call, and its server leaves in order.
    async fn close(self) {
        assert_eq!(self.client.in_flight(), 0);
        assert_eq!(self.broker.queue_depth("count"), Some(0));
        self.server.shutdown().await.unwrap();
    }
}

#[track_caller]
fn assert_values(ends: Vec<Result<Value, RpcError>>) {
    for (number, end) in (0_u64..).zip(ends) {
        assert_eq!(end, Ok(json!(number)));
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_twice_change_nothing() {
    let counter = Counter::new("twice").await;
    counter.broker.duplicate_replies(usize::MAX);
    for _ in 0..20 {
        // The second answers to the last calls are there before the first to these.
        assert_values(counter.call(50, LIMIT).await);
    }
    counter.broker.duplicate_replies(0);
    assert_values(counter.call(50, LIMIT).await);
    assert_eq!(counter.runs(), 21 * 50);
    counter.close().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_take_longer_are_waited_for_until_the_deadline() {
    let counter = Counter::new("longer").await;
    let delay = LIMIT - Duration::from_millis(100);
    counter.broker.delay_replies(delay);
    let start = Instant::now();
    assert_values(counter.call(50, LIMIT).await);
    assert!(start.elapsed() >= delay);
    assert_eq!(counter.runs(), 50);
    counter.close().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_take_too_long_are_timeouts_and_harm_no_later_call() {
    let counter = Counter::new("too long").await;
    counter.broker.duplicate_replies(usize::MAX);
    counter
        .broker
        .delay_replies(LIMIT + Duration::from_millis(500));
    let start = Instant::now();
    for end in counter.call(50, LIMIT).await {
        let error = end.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    }
    let late = start.elapsed().checked_sub(LIMIT).unwrap();
    assert!(late <= Duration::from_millis(50), "{late:?} late");
    assert_eq!((counter.runs(), counter.client.in_flight()), (50, 0));

    // These wait for answers while those to the first calls arrive, all of them twice.
    counter.broker.delay_replies(Duration::from_secs(1));
    assert_values(counter.call(50, LIMIT).await);
    assert_eq!(counter.runs(), 100);
    counter.broker.duplicate_replies(0);
    counter.broker.delay_replies(Duration::ZERO);
    sleep(LIMIT).await;
    assert_values(counter.call(50, LIMIT).await);
    counter.close().await;
}

const LIMIT: Duration = Duration::from_secs(5);
