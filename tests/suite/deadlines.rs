//! When calls end, to the millisecond: on `memory://`, with the clock of the tests stopped.
//!
//! What the broker or a server says of a call is there by its deadline, so that the call ends at it. Only a call of which
//! nobody says anything is waited for a moment longer.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_core::{Context, MemoryBroker, Progress, QueueOptions, Rpc, RpcError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::site::{assert_lost, builder, connect};

/// A broker of that name, a client and a server.
async fn scene(name: &str) -> (MemoryBroker, Rpc, Rpc) {
    let (broker, url) = (MemoryBroker::named(name), format!("memory://{name}"));
    (
        broker,
        connect(&url).await.unwrap(),
        connect(&url).await.unwrap(),
    )
}

/// What a handler knew of its time, and when it was dropped.
#[derive(Clone, Default)]
struct Fate(Arc<Mutex<(Option<Duration>, Option<Instant>)>>);

impl Fate {
    /// A handler that never ends.
    async fn handler(self) -> Result<(), String> {
        self.0.lock().unwrap().0 = Context::current().time_left();
        let _told = Told(self);
        pending().await
    }

    fn time_left(&self) -> Duration {
        self.0.lock().unwrap().0.expect("it has started")
    }

    fn dropped(&self) -> Instant {
        self.0.lock().unwrap().1.expect("it was dropped")
    }
}

struct Told(Fate);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().1 = Some(Instant::now());
    }
}

/// Serves a method that never ends by itself.
async fn serve_endless(server: &Rpc, method: &'static str) -> Fate {
    let fate = Fate::default();
    let handlers = fate.clone();
    let handler = move |_: Value| handlers.clone().handler();
    server.register(method, handler).await.unwrap();
    fate
}

/// tokio's timers round up to the next millisecond.
#[track_caller]
fn assert_at(at: Instant, due: Instant) {
    let late = at.checked_duration_since(due).expect("it came too early");
    assert!(late < Duration::from_millis(2), "{late:?} late");
}

/// A server learns the deadline by the clock on the wall, which goes on. So handlers may be dropped earlier than the clock of
/// the test says, by as long as the machine stood still while their call was on its way; but never later.
#[track_caller]
fn assert_by(at: Instant, due: Instant) {
    assert!(at < due + Duration::from_millis(2), "{:?} late", at - due);
    let early = due.saturating_duration_since(at);
    assert!(early < Duration::from_secs(1), "{early:?} too early");
}

/// And this is how long a call waits for a word that does not come.
#[track_caller]
fn assert_soon_after(at: Instant, due: Instant) {
    let late = at.checked_duration_since(due).expect("it came too early");
    assert!(late <= Duration::from_millis(50), "{late:?} late");
}

const LIMIT: Duration = Duration::from_secs(10);

/// TIME-5, KIND-6, END-5
#[tokio::test(start_paused = true)]
async fn a_handler_is_dropped_at_the_deadline_of_its_call_which_ends_then() {
    let (_broker, client, server) = scene("endless").await;
    let fate = serve_endless(&server, "endless").await;
    let due = Instant::now() + LIMIT;
    let error = client.call("endless", ()).timeout(LIMIT).await.unwrap_err();
    assert_at(Instant::now(), due);
    assert_by(fate.dropped(), due);
    let RpcError::Timeout {
        after, progress, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*after, progress), (LIMIT, &Progress::Stopped));
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_done_before_its_deadline_has_its_value() {
    let (_broker, client, server) = scene("before").await;
    let nap = |_: Value| async {
        sleep(LIMIT - Duration::from_secs(1)).await;
        Ok::<_, String>("done")
    };
    server.register("nap", nap).await.unwrap();
    let due = Instant::now() + LIMIT;
    assert_eq!(
        client.call("nap", ()).timeout(LIMIT).await,
        Ok(json!("done"))
    );
    assert!(Instant::now() < due);
}

/// END-15
#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_ends_a_moment_after_its_deadline() {
    let (broker, client, server) = scene("never answered").await;
    let ready = |_: Value| async { Ok::<_, String>(()) };
    server.register("ready", ready).await.unwrap();
    broker.lose_replies(1);
    let due = Instant::now() + LIMIT;
    let error = client.call("ready", ()).timeout(LIMIT).await.unwrap_err();
    assert_soon_after(Instant::now(), due);
    let RpcError::Timeout {
        after, progress, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*after, progress), (LIMIT, &Progress::Taken { servers: 1 }));
}

/// END-6
#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_takes_expires_at_its_deadline() {
    let (_broker, client, server) = scene("nobody").await;
    let ready = |_: Value| async { Ok::<_, String>(()) };
    let ready = server.register("ready", ready).await.unwrap();
    ready.shutdown().await.unwrap();
    for limit in [Duration::from_millis(20), Duration::from_secs(1), LIMIT] {
        let due = Instant::now() + limit;
        let error = client.call("ready", ()).timeout(limit).await.unwrap_err();
        assert_at(Instant::now(), due);
        let RpcError::Expired { after, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(after, limit);
    }
}

/// Serves `outer`, which works for 4 s and then calls `inner` with that limit, or none of its own.
async fn serve_nested(server: &Rpc, limit: Option<Duration>) -> Fate {
    let inner = serve_endless(server, "inner").await;
    let rpc = server.clone();
    let outer = move |_: Value| {
        let rpc = rpc.clone();
        async move {
            sleep(Duration::from_secs(4)).await;
            let mut call = rpc.call("inner", ());
            if let Some(limit) = limit {
                call = call.timeout(limit);
            }
            match call.await {
                Err(RpcError::Timeout { after, .. }) => Ok::<_, String>(after.as_secs()),
                end => panic!("{end:?}"),
            }
        }
    };
    server.register("outer", outer).await.unwrap();
    inner
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_has_what_is_left() {
    for (name, limit) in [
        ("inherits", None),
        ("inherits less", Some(Duration::from_secs(60))),
    ] {
        let (_broker, client, server) = scene(name).await;
        let inner = serve_nested(&server, limit).await;
        let due = Instant::now() + LIMIT;
        let error = client.call("outer", ()).timeout(LIMIT).await.unwrap_err();
        assert_at(Instant::now(), due);
        let stopped = matches!(
            error,
            RpcError::Timeout {
                progress: Progress::Stopped,
                ..
            }
        );
        assert!(stopped, "{error:?}");
        assert_by(inner.dropped(), due);
        let left = inner.time_left();
        let (five, six) = (Duration::from_secs(5), Duration::from_secs(6));
        assert!(left > five && left <= six, "{left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_may_have_less_than_is_left() {
    let (_broker, client, server) = scene("less").await;
    let limit = Duration::from_secs(2);
    let inner = serve_nested(&server, Some(limit)).await;
    let due = Instant::now() + Duration::from_secs(6);
    let outer = client.call("outer", ()).timeout(LIMIT);
    assert_eq!(outer.await, Ok(json!(2)));
    assert_at(Instant::now(), due);
    assert_by(inner.dropped(), due);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_connection_until_its_deadline() {
    let (broker, client, server) = scene("away").await;
    let ready = |_: Value| async { Ok::<_, String>(()) };
    server.register("ready", ready).await.unwrap();
    broker.stop();
    for limit in [Duration::from_millis(1), Duration::from_secs(1), LIMIT] {
        let due = Instant::now() + limit;
        let error = client.call("ready", ()).timeout(limit).await.unwrap_err();
        assert_at(Instant::now(), due);
        let RpcError::NotConnected { waited, .. } = error else {
            panic!("{error:?}");
        };
        assert_at(due - limit + waited, due);
    }

    // One whose deadline is later is answered when the broker is back.
    let waiting = tokio::spawn(client.call("ready", ()).timeout(LIMIT));
    sleep(LIMIT - Duration::from_secs(2)).await;
    let back = Instant::now();
    broker.start();
    assert_eq!(waiting.await.unwrap(), Ok(Value::Null));
    let took = back.elapsed();
    assert!(took <= Duration::from_secs(1), "{took:?}");
}

/// END-14
#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_blocked_broker_until_its_deadline() {
    let (broker, client, server) = scene("blocked").await;
    let ready = |_: Value| async { Ok::<_, String>(()) };
    server.register("ready", ready).await.unwrap();
    broker.block("low on memory");
    let due = Instant::now() + LIMIT;
    let error = client.call("ready", ()).timeout(LIMIT).await.unwrap_err();
    assert_at(Instant::now(), due);
    assert!(matches!(error, RpcError::Blocked { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_turn_until_its_deadline() {
    let (_broker, _, server) = scene("turn").await;
    serve_endless(&server, "endless").await;
    let client = builder("memory://turn").max_in_flight(1).connect();
    let client = client.await.unwrap();
    let running = tokio::spawn(client.call("endless", ()).timeout(LIMIT * 2));
    tokio::task::yield_now().await;
    let due = Instant::now() + LIMIT;
    let error = client.call("endless", ()).timeout(LIMIT).await.unwrap_err();
    assert_at(Instant::now(), due);
    assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_room_in_its_queue_until_its_deadline() {
    let (_broker, client, server) = scene("room").await;
    let options = QueueOptions::default()
        .argument("x-max-length", 0)
        .argument("x-overflow", "reject-publish");
    let ready = |_: Value| async { Ok::<_, String>(()) };
    let ready = server.register("ready", ready).queue(options).await;
    ready.unwrap().shutdown().await.unwrap();
    let due = Instant::now() + LIMIT;
    let call = client.call("ready", ()).confirmed(true).timeout(LIMIT);
    let error = call.await.unwrap_err();
    assert_at(Instant::now(), due);
    assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
}

/// It is sent again as often as its time allows, and then says how it went when it was sent.
#[tokio::test(start_paused = true)]
async fn an_idempotent_call_that_is_lost_again_and_again_ends_at_its_deadline() {
    let (broker, client, server) = scene("again and again").await;
    let handler = |_: Value| pending::<Result<(), String>>();
    server
        .register("endless", handler)
        .idempotent(true)
        .await
        .unwrap();
    let due = Instant::now() + LIMIT;
    let call = tokio::spawn(client.call("endless", ()).idempotent(true).timeout(LIMIT));
    for _ in 0..9 {
        sleep(Duration::from_secs(1)).await;
        assert!(!call.is_finished());
        broker.drop_connections();
    }
    sleep(Duration::from_millis(500)).await;
    broker.stop();
    let error = call.await.unwrap().unwrap_err();
    assert_at(Instant::now(), due);
    assert_lost(&error);
}

/// Also if it is asked for the last time when no time is left to send the call once more.
#[tokio::test(start_paused = true)]
async fn a_call_whose_queue_takes_none_is_overloaded_at_its_deadline() {
    let (_broker, client, server) = scene("full").await;
    let queue = QueueOptions::default().argument("x-max-length", 1);
    let queue = queue.argument("x-overflow", "reject-publish");
    let endless = |_: Value| pending::<Result<(), String>>();
    let serving = server.register("endless", endless).concurrency(1);
    serving.queue(queue).await.unwrap();
    let call = |limit| client.call("endless", ()).confirmed(true).timeout(limit);
    let long = Duration::from_secs(3600);
    let _running = tokio::spawn(call(long).into_future());
    sleep(Duration::from_millis(10)).await;
    let _waiting = tokio::spawn(call(long).into_future());
    sleep(Duration::from_millis(10)).await;
    // Between the ticks of the timers.
    let limit = Duration::from_micros(300_500);
    let due = Instant::now() + limit;
    let calls = (0..1000).map(|_| tokio::spawn(call(limit).into_future()));
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, RpcError::Overloaded { .. }), "{error:?}");
    }
    assert_at(Instant::now(), due);
}
