//! The times that are promised for a machine that is not overloaded.
//!
//! A test binary of its own, so that nothing runs beside it. What is held against a promise is the median
//! of many calls: one of them may meet the moment in which a shared machine does something else.

#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use rpc_core::{Call, Rpc, RpcError};
use rpc_tests::fresh_vhost;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

mod faults;

const PROMISE: Duration = Duration::from_millis(50);
const ROUNDS: usize = 7;
/// What the calls have.
const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn calls_end_within_fifty_milliseconds_of_when_they_must() {
    let vhost = fresh_vhost().await;
    vhost.uses(&["nap"]).await;
    // At once, as each of them does nothing but wait.
    let on = async |url: &str| {
        no_such_method(url).await;
        timeouts_and_expiry(url).await;
    };
    join(on("memory://timing"), on(vhost.url())).await;
    faults::every_fault().await;
}

/// Not after a timeout, but as soon as the broker has said so.
async fn no_such_method(url: &str) {
    let rpc = Rpc::connect(url).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let error = rpc.call("nobody", ()).await.unwrap_err();
        took.push(start.elapsed());
        assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");
    }
    within_the_promise(url, "no such method", took);
    // Also for the first call after a while, when nobody looks for returned calls any more.
    let mut took = Vec::new();
    for _ in 0..3 {
        sleep(Duration::from_secs(2)).await;
        let start = Instant::now();
        rpc.call("nobody", ()).await.unwrap_err();
        took.push(start.elapsed());
    }
    within_the_promise(url, "no such method, after a pause", took);
}

async fn timeouts_and_expiry(url: &str) {
    let server = Rpc::connect(url).await.unwrap();
    let started = Arc::new(Semaphore::new(0));
    let starts = Arc::clone(&started);
    let nap = move |_: Value| {
        starts.add_permits(1);
        async {
            sleep(Duration::from_secs(60)).await;
            Ok::<_, String>(())
        }
    };
    let napping = server.register("nap", nap).concurrency(1).await.unwrap();
    let client = Rpc::connect(url).await.unwrap();
    let timed_out = |error: &RpcError| matches!(error, RpcError::Timeout { .. });
    within_the_promise(url, "timeout", late_by(&client, timed_out).await);

    // The one place is taken for as long as this takes.
    let busy = tokio::spawn(client.call("nap", json!({})));
    let starts = u32::try_from(ROUNDS + 1).unwrap();
    started.acquire_many(starts).await.unwrap().forget();
    // Which of the two it is depends on how soon the broker says so; the time must not.
    let ended =
        |error: &RpcError| matches!(error, RpcError::Expired { .. } | RpcError::Timeout { .. });
    within_the_promise(url, "expiry", late_by(&client, ended).await);
    busy.abort();
    assert!(busy.await.unwrap_err().is_cancelled());
    assert_eq!(client.in_flight(), 0);
    drop((napping, server));
}

/// How long after their deadline calls end, all of them in one way.
async fn late_by(client: &Rpc, ends_so: impl Fn(&RpcError) -> bool) -> Vec<Duration> {
    let mut late = Vec::new();
    for _ in 0..ROUNDS {
        late.push(lateness(client.call("nap", json!({})), &ends_so).await);
    }
    late
}

/// The same of one call.
async fn lateness(call: Call<Value>, ends_so: impl Fn(&RpcError) -> bool) -> Duration {
    let start = Instant::now();
    let error = call.timeout(LIMIT).await.unwrap_err();
    let took = start.elapsed();
    assert!(ends_so(&error), "{error:?}");
    assert!(took >= LIMIT, "{took:?} is before the deadline");
    took.checked_sub(LIMIT).unwrap()
}

fn within_the_promise(url: &str, what: &str, times: Vec<Duration>) {
    within(url, what, times, PROMISE);
}

fn within(url: &str, what: &str, mut times: Vec<Duration>, promise: Duration) {
    times.sort();
    let median = times[times.len() / 2];
    let transport = url.split(':').next().unwrap();
    println!("{transport}: {what}: median {median:?}, of {times:?}");
    assert!(
        median <= promise,
        "{what} on {transport} took {median:?}: {times:?}"
    );
}
