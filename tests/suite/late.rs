//! Calls that reach a server late, and clocks that differ: what is late is not started, and nothing else is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use lapin::types::AMQPValue;
use rpc_core::{Batching, Rpc, RpcError};
use rpc_tests::{RawPeer, TcpRelay, Way};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::probe::{Nap, Tally};
use crate::site::{Site, eventually, on_both, port_of};

const SHORT: Duration = Duration::from_millis(300);
/// So long a call is held up that may take [`SHORT`].
const HOLD: Duration = Duration::from_secs(1);

/// Makes two calls at once that are held up for longer than they may take.
async fn two_late_calls(client: &Rpc) {
    let nap = || tokio::spawn(client.call("nap", json!({"millis": 1})).timeout(SHORT));
    for call in [nap(), nap()] {
        let error = call.await.unwrap().unwrap_err();
        assert!(
            matches!(error, RpcError::Timeout { .. } | RpcError::Expired { .. }),
            "{error:?}"
        );
    }
}

/// A server with a thread of its own, which a call of `block` occupies for a while.
struct Apart {
    is_blocked: Arc<AtomicBool>,
    _stop: oneshot::Sender<()>,
}

impl Apart {
    async fn start(url: &str, tally: &Tally) -> Self {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (url, tally) = (url.to_owned(), tally.clone());
        let is_blocked = Arc::new(AtomicBool::new(false));
        let tell_blocked = Arc::clone(&is_blocked);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let rpc = Rpc::connect(url).await.unwrap();
                let nap = move |nap: Nap| tally.clone().nap(nap);
                rpc.register("nap", nap).await.unwrap();
                let block = move |_: Value| {
                    tell_blocked.store(true, Ordering::SeqCst);
                    std::thread::sleep(HOLD);
                    async { Ok::<_, String>(()) }
                };
                rpc.register("block", block).await.unwrap();
                ready.send(()).unwrap();
                drop(stopped.await);
            });
        });
        is_ready.await.unwrap();
        Self {
            is_blocked,
            _stop: stop,
        }
    }
}

on_both! {
    /// TIME-3, TIME-4, TIME-7
    async fn a_server_that_was_busy_starts_no_late_call_of_a_caller_that_it_does_not_know(site) {
        site.uses(&["block"]).await;
        let tally = Tally::default();
        let server = Apart::start(site.url(), &tally).await;
        let (other, client) = (site.rpc().await, site.rpc().await);
        let block = tokio::spawn(other.call("block", ()));
        eventually("the server is busy", || async { server.is_blocked.load(Ordering::SeqCst) }).await;
        two_late_calls(&client).await;
        block.await.unwrap().unwrap();
        assert_eq!(client.call("nap", json!({"millis": 1})).await, Ok(json!(1)));
        // Its first calls came before it, in the order of the queue.
        assert_eq!(tally.started(), 1);
    }
}

/// A way that can be cut, and a server of `nap` behind it.
async fn behind_a_relay(site: &Site, concurrency: u16) -> (TcpRelay, Rpc, Tally) {
    let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
    let server = Rpc::connect(relay.url(site.url())).await.unwrap();
    let tally = Tally::default();
    let handler = tally.clone();
    let nap = server.register("nap", move |nap: Nap| handler.clone().nap(nap));
    nap.concurrency(concurrency).await.unwrap();
    (relay, server, tally)
}

/// TIME-3, TIME-4, TIME-7
#[tokio::test]
async fn a_server_that_was_cut_off_starts_no_late_call_of_a_caller_that_it_does_not_know() {
    let site = Site::rabbitmq().await;
    let (relay, _server, tally) = behind_a_relay(&site, 256).await;
    let client = site.rpc().await;
    relay.freeze();
    two_late_calls(&client).await;
    sleep(HOLD - SHORT).await;
    relay.thaw();
    assert_eq!(client.call("nap", json!({"millis": 1})).await, Ok(json!(1)));
    assert_eq!(tally.started(), 1);
}

/// A call waits for its turn on a server that knows no quicker way of its caller's than the one it came by.
/// TIME-7
#[tokio::test]
async fn a_call_whose_deadline_passes_while_it_waits_for_its_turn_is_not_started() {
    const PLACES: u16 = 128;
    let site = Site::rabbitmq().await;
    let (relay, _server, tally) = behind_a_relay(&site, PLACES).await;
    site.open_lanes("nap", 1).await;
    // What comes in batches does not count for the prefetch, and so can wait on the server.
    let client = Rpc::builder(site.url()).batching(Batching::always());
    let client = client.connect().await.unwrap();
    relay.freeze_way(Way::Back);
    let nap = |millis: u64, limit| {
        let call = client.call("nap", json!({"millis": millis}));
        tokio::spawn(call.timeout(limit).returning::<u64>())
    };
    let first: Vec<_> = (0..PLACES).map(|_| nap(300, HOLD * 10)).collect();
    let behind: Vec<_> = (0..32).map(|_| nap(1, SHORT + SHORT / 3)).collect();
    sleep(SHORT * 2 / 3).await;
    relay.thaw();
    for call in behind {
        let error = call.await.unwrap().unwrap_err();
        assert!(
            matches!(error, RpcError::Timeout { .. } | RpcError::Expired { .. }),
            "{error:?}"
        );
    }
    for call in first {
        assert_eq!(call.await.unwrap(), Ok(300));
    }
    // One more makes sure that all before it are done with.
    assert_eq!(nap(1, HOLD * 10).await.unwrap(), Ok(1));
    assert_eq!(tally.started(), usize::from(PLACES) + 1);
}

/// A way from callers of `nap` to a server whose clock is another: what passes has the deadline of that.
struct OtherClock {
    /// By how many milliseconds the server's clock is behind.
    behind: Arc<AtomicI64>,
    /// How long each call is held up, in milliseconds.
    hold: Arc<AtomicU64>,
    /// How many calls have passed.
    passed: Arc<AtomicUsize>,
    tally: Tally,
    site: Site,
    server: Rpc,
}

impl OtherClock {
    async fn new(behind: i64) -> Self {
        let site = Site::rabbitmq().await;
        site.uses(&["nap.far"]).await;
        let server = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        let nap = server.register("nap.far", move |nap: Nap| handler.clone().nap(nap));
        nap.await.unwrap();
        let peer = RawPeer::connect(site.url()).await.unwrap();
        peer.method_queue("nap").await.unwrap();
        let way = Self {
            behind: Arc::new(AtomicI64::new(behind)),
            hold: Arc::default(),
            passed: Arc::default(),
            tally,
            site,
            server,
        };
        tokio::spawn(pass_on(
            peer,
            Arc::clone(&way.behind),
            Arc::clone(&way.hold),
            Arc::clone(&way.passed),
        ));
        way
    }

    fn passed(&self) -> usize {
        self.passed.swap(0, Ordering::SeqCst)
    }
}

/// Ends with the runtime of its test.
async fn pass_on(
    peer: RawPeer,
    behind: Arc<AtomicI64>,
    hold: Arc<AtomicU64>,
    passed: Arc<AtomicUsize>,
) {
    let mut calls = peer.consume("nap").await.unwrap();
    loop {
        let Ok(call) = calls.next().await else {
            // None came for a while.
            continue;
        };
        let mut properties = call.0.properties.clone();
        let mut headers = properties.headers().clone().unwrap();
        let Some(AMQPValue::LongLongInt(deadline)) = call.header("rpc-deadline").cloned() else {
            panic!("no deadline: {headers:?}");
        };
        let deadline = deadline + behind.load(Ordering::SeqCst);
        headers.insert("rpc-deadline".into(), AMQPValue::LongLongInt(deadline));
        properties = properties.with_headers(headers);
        // What is held up here has left the queue where the broker lets it expire.
        properties = properties.with_expiration("60000".into());
        sleep(Duration::from_millis(hold.load(Ordering::SeqCst))).await;
        passed.fetch_add(1, Ordering::SeqCst);
        peer.publish("nap.far", properties, &call.0.data)
            .await
            .unwrap();
        call.ack().await.unwrap();
    }
}

const HOUR: i64 = 3_600_000;

/// TIME-8, TIME-9
#[tokio::test]
async fn clocks_that_differ_cost_a_first_call_another_round_trip_and_no_more() {
    for (behind, messages) in [(HOUR, 2), (-HOUR, 2), (1_000, 2), (-10_000, 2), (0, 1)] {
        let way = OtherClock::new(behind).await;
        let client = way.site.rpc().await;
        let nap = || {
            let call = client.call("nap", json!({"millis": 500}));
            call.timeout(Duration::from_secs(5))
        };
        assert_eq!(nap().await, Ok(json!(500)), "{behind}");
        assert_eq!(way.passed(), messages, "{behind}");
        assert_eq!(nap().await, Ok(json!(500)), "{behind}");
        assert_eq!(way.passed(), 1, "{behind}");
        assert_eq!(way.tally.started(), 2, "{behind}");
        way.server.close().await;
    }
}

/// TIME-7
#[tokio::test]
async fn where_clocks_differ_late_calls_of_a_caller_that_is_not_known_are_not_started_either() {
    for behind in [HOUR, -HOUR] {
        let way = OtherClock::new(behind).await;
        let client = way.site.rpc().await;
        way.hold.store(500, Ordering::SeqCst);
        two_late_calls(&client).await;
        eventually("both have passed", || async {
            way.passed.load(Ordering::SeqCst) == 2
        })
        .await;
        way.hold.store(0, Ordering::SeqCst);
        assert_eq!(client.call("nap", json!({"millis": 1})).await, Ok(json!(1)));
        assert_eq!(way.tally.started(), 1, "{behind}");
        way.server.close().await;
    }
}

/// TIME-9
#[tokio::test]
async fn a_clock_that_is_set_while_calls_are_made_fails_none() {
    let way = OtherClock::new(0).await;
    let client = way.site.rpc().await;
    for behind in [0, HOUR, -HOUR, 2 * HOUR, 0] {
        way.behind.store(behind, Ordering::SeqCst);
        for _ in 0..3 {
            let call = client.call("nap", json!({"millis": 100}));
            let nap = call.timeout(Duration::from_secs(5)).await;
            assert_eq!(nap, Ok(json!(100)), "{behind}");
        }
    }
    assert_eq!(way.tally.started(), 15);
}
