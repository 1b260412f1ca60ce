//! Networks and brokers that fail while calls are under way: each call ends, once, and everything works again.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Progress, Rpc, RpcError, Server};
use rpc_tests::{RabbitNode, TcpRelay, Way};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::probe::{Nap, ProbeClient, Real, Tally};
use crate::site::{Site, assert_lost, connect, eventually, port_of, serve};

/// A client behind a relay, and a server that is not.
struct Scene {
    site: Site,
    relay: TcpRelay,
    client: Rpc,
    tally: Tally,
    _server: Server,
}

impl Scene {
    async fn new(query: &str) -> Self {
        let site = Site::rabbitmq().await;
        let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
        let client = connect(relay.url(site.url()) + query).await.unwrap();
        let rpc = site.rpc().await;
        let tally = Tally::default();
        let handler = tally.clone();
        let server = rpc.register("nap", move |nap: Nap| handler.clone().nap(nap));
        let _server = server.await.unwrap();
        site.lanes("nap", 1).await;
        Self {
            site,
            relay,
            client,
            tally,
            _server,
        }
    }

    /// How so many calls end that are made at once. No call may take much longer than it may.
    async fn call(&self, calls: usize, millis: u64, limit: Duration) -> Vec<Result<u64, RpcError>> {
        let nap = || {
            let call = self.client.call("nap", json!({"millis": millis}));
            tokio::spawn(call.timeout(limit).returning::<u64>())
        };
        let calls: Vec<_> = (0..calls).map(|_| nap()).collect();
        let ends = timeout(limit + Duration::from_secs(5), join_all(calls));
        let ends = ends.await.expect("a call hangs");
        assert_eq!(self.client.in_flight(), 0);
        ends.into_iter().map(Result::unwrap).collect()
    }

    /// Makes calls that no handler finishes, and lets the connection be lost meanwhile, which all must say.
    async fn lose_calls_by(&self, fault: impl Future<Output = ()>) {
        let calls = self.call(50, 60_000, Duration::from_secs(30));
        let fault = async {
            eventually("all are in flight", || async {
                self.client.in_flight() == 50
            })
            .await;
            fault.await;
        };
        let (ends, ()) = tokio::join!(calls, fault);
        for end in ends {
            assert_lost(&end.unwrap_err());
        }
    }

    async fn works_again(&self) {
        eventually("calls work again", || async {
            let call = self.client.call("nap", json!({"millis": 1}));
            call.timeout(Duration::from_secs(5)).await == Ok(json!(1))
        })
        .await;
    }
}

const LIMIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_network_that_drops_everything_is_a_timeout() {
    let scene = Scene::new("").await;
    scene.relay.freeze();
    let start = Instant::now();
    for end in scene.call(100, 1, LIMIT).await {
        let error = end.unwrap_err();
        let RpcError::Timeout { progress, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*progress, Progress::Unknown, "{error}");
    }
    assert!(start.elapsed() >= LIMIT);
    scene.relay.thaw();
    scene.works_again().await;
}

#[tokio::test]
async fn calls_whose_answers_are_held_back_ran_once() {
    let scene = Scene::new("").await;
    scene.relay.freeze_way(Way::Back);
    for end in scene.call(100, 1, LIMIT).await {
        let error = end.unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    }
    scene.relay.thaw();
    scene.works_again().await;
    // Each of them, and those that made sure.
    assert!(scene.tally.started() > 100);
    assert_eq!(scene.tally.started(), scene.tally.finished());
    assert_eq!(scene.site.depth("nap").await, 0);
}

#[tokio::test]
async fn a_network_that_reads_nothing_is_a_timeout_and_no_hang() {
    let scene = Scene::new("").await;
    scene.relay.freeze_way(Way::There);
    // More than any buffer on the way holds.
    let long = "x".repeat(1 << 20);
    let calls = (0..64).map(|_| {
        let call = scene.client.call("nap", json!({"millis": 1, "more": long}));
        tokio::spawn(call.timeout(LIMIT))
    });
    let calls: Vec<_> = calls.collect();
    let ends = timeout(LIMIT + Duration::from_secs(5), join_all(calls))
        .await
        .expect("a call hangs");
    for end in ends {
        let error = end.unwrap().unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    }
    assert_eq!(scene.client.in_flight(), 0);
    assert_eq!(scene.tally.started(), 0);
    scene.relay.thaw();
    scene.works_again().await;
}

#[tokio::test]
async fn a_slow_network_only_takes_longer() {
    let scene = Scene::new("").await;
    scene.relay.delay(Duration::from_millis(100));
    let start = Instant::now();
    for end in scene.call(20, 1, Duration::from_secs(20)).await {
        assert_eq!(end, Ok(1));
    }
    assert!(start.elapsed() >= Duration::from_millis(200));
    for end in scene.call(5, 1, Duration::from_millis(50)).await {
        let error = end.unwrap_err();
        assert!(
            matches!(error, RpcError::Timeout { .. } | RpcError::Expired { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_by_half_is_lost() {
    let scene = Scene::new("").await;
    let fault = async { scene.relay.half_close() };
    scene.lose_calls_by(fault).await;
    scene.works_again().await;
}

/// LIMIT-7
#[tokio::test]
async fn a_network_that_is_silent_for_two_heartbeats_is_lost() {
    let scene = Scene::new("?heartbeat=1").await;
    let fault = async { scene.relay.freeze() };
    scene.lose_calls_by(fault).await;
    scene.relay.cut().await.unwrap();
    scene.relay.thaw();
    scene.works_again().await;
}

/// END-13
#[tokio::test]
async fn a_reply_queue_that_is_deleted_ends_the_calls_that_wait_on_it() {
    let scene = Scene::new("").await;
    let fault = async {
        // Only its own connection may delete an exclusive queue, or rabbitmqctl.
        let vhost = scene.site.vhost_name();
        let node = rpc_tests::shared_node().await;
        let node = node.node().expect("a node of our own");
        let listed = node
            .ctl(&["-q", "list_queues", "-p", vhost, "name"])
            .await
            .unwrap();
        for queue in listed.lines().filter(|name| name.starts_with("rpc.reply.")) {
            node.ctl(&["delete_queue", "-p", vhost, queue])
                .await
                .unwrap();
        }
    };
    scene.lose_calls_by(fault).await;
    scene.works_again().await;
}

/// The channel dies alone: the broker closes it for a message that is larger than it takes.
/// END-13
#[tokio::test]
async fn a_channel_that_the_broker_closes_ends_its_calls_and_no_others() {
    let mut node = RabbitNode::start_with(&[("max_message_size", "100000")])
        .await
        .unwrap();
    let (client, other) = (
        connect(node.url()).await.unwrap(),
        connect(node.url()).await.unwrap(),
    );
    serve(&other, Real).await;
    let spared = tokio::spawn(ProbeClient::new(&other).nap(1_500));
    let waiting = tokio::spawn(ProbeClient::new(&client).nap(60_000));
    eventually("it is in flight", || async { client.in_flight() == 1 }).await;
    let error = client
        .call("echo", json!({"value": "x".repeat(200_000)}))
        .await
        .unwrap_err();
    assert_lost(&error);
    assert!(error.to_string().contains("larger than"), "{error}");
    let error = waiting.await.unwrap().unwrap_err();
    assert_lost(&error);
    assert_eq!(spared.await.unwrap().unwrap(), 1_500);
    assert_eq!(ProbeClient::new(&client).add(1, 2).await, Ok(3));
    node.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_stopped_for_a_while_is_a_timeout() {
    let mut node = RabbitNode::start().await.unwrap();
    let (client, server) = (
        connect(node.url()).await.unwrap(),
        connect(node.url()).await.unwrap(),
    );
    serve(&server, Real).await;
    let probe = ProbeClient::new(&client);
    assert_eq!(probe.add(1, 2).await, Ok(3));
    node.pause().unwrap();
    let calls = (0..100).map(|_| tokio::spawn(probe.add(1, 2).timeout(LIMIT)));
    let calls: Vec<_> = calls.collect();
    let ends = timeout(LIMIT + Duration::from_secs(5), join_all(calls))
        .await
        .expect("a call hangs");
    for end in ends {
        let error = end.unwrap().unwrap_err();
        assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    }
    assert_eq!(client.in_flight(), 0);
    node.resume().unwrap();
    eventually("calls work again", || async {
        probe.add(1, 2).await == Ok(3)
    })
    .await;
}

/// What the network has not taken from the caller was not sent, and goes over the next connection.
#[tokio::test]
async fn calls_that_a_network_holds_up_go_over_the_next_connection() {
    let scene = Scene::new("").await;
    scene.call(1, 1, LIMIT).await.remove(0).unwrap();
    scene.relay.freeze_way(Way::There);
    let text = "x".repeat(1 << 20);
    let nap = || {
        let call = scene.client.call("nap", json!({"millis": 1, "text": text}));
        tokio::spawn(call.timeout(Duration::from_secs(60)))
    };
    let calls: Vec<_> = (0..40).map(|_| nap()).collect();
    eventually("all are in flight", || async {
        scene.client.in_flight() == 40
    })
    .await;
    scene.relay.cut().await.unwrap();
    scene.relay.thaw();
    let mut ran = 1;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => ran += 1,
            Err(error) => assert_lost(&error),
        }
    }
    assert!(ran > 1, "none was held up");
    assert_eq!(scene.tally.started(), ran);
}
