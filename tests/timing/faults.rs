//! That calls end in time also when the network or the broker does nothing more.

use std::time::Duration;

use rpc_core::{Rpc, RpcError};
use rpc_tests::{RabbitNode, TcpRelay, Way};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{LIMIT, ROUNDS, late_by, lateness, within, within_the_promise};

pub(super) async fn every_fault() {
    let mut node = RabbitNode::start().await.unwrap();
    let server = Rpc::connect(node.url()).await.unwrap();
    let nap = |_: Value| async {
        sleep(Duration::from_secs(60)).await;
        Ok::<_, String>(())
    };
    server.register("nap", nap).await.unwrap();
    networks(&node).await;
    recovery(&node).await;

    let client = Rpc::connect(node.url()).await.unwrap();
    node.pause().unwrap();
    ends_in_time("the broker is stopped", &client, is_timeout).await;
    node.resume().unwrap();
    is_back(&client).await;

    node.ctl(&["set_vm_memory_high_watermark", "absolute", "1"])
        .await
        .unwrap();
    ends_in_time("the broker takes no calls", &client, |error| {
        matches!(error, RpcError::Blocked { .. } | RpcError::Timeout { .. })
    })
    .await;

    node.kill().await.unwrap();
    notice_loss(&client).await;
    ends_in_time("the broker is dead", &client, |error| {
        matches!(error, RpcError::NotConnected { .. })
    })
    .await;
}

async fn networks(node: &RabbitNode) {
    let mut relay = TcpRelay::start(node.port()).await.unwrap();
    let client = Rpc::connect(relay.url(&node.url())).await.unwrap();
    is_back(&client).await;
    relay.freeze();
    ends_in_time("the network drops everything", &client, is_timeout).await;
    relay.thaw();
    is_back(&client).await;
    for (what, way) in [
        ("the network brings nothing back", Way::Back),
        ("the network takes nothing", Way::There),
    ] {
        relay.freeze_way(way);
        ends_in_time(what, &client, is_timeout).await;
        relay.thaw();
        is_back(&client).await;
    }
    for (what, way) in [
        ("the network takes its time for answers", Way::Back),
        ("the network takes its time for calls", Way::There),
    ] {
        relay.delay_way(way, LIMIT * 2);
        ends_in_time(what, &client, is_timeout).await;
        relay.delay_way(way, Duration::ZERO);
        is_back(&client).await;
    }
    breaks_again_and_again("the network resets all connections", &client, async || {
        relay.cut().await.unwrap();
    })
    .await;
    breaks_again_and_again(
        "the network closes all connections by half",
        &client,
        async || {
            relay.half_close();
        },
    )
    .await;
    relay.refuse().await.unwrap();
    relay.cut().await.unwrap();
    notice_loss(&client).await;
    ends_in_time("the network is gone", &client, |error| {
        matches!(error, RpcError::NotConnected { .. })
    })
    .await;
}

/// Three times while a call runs. One that may be sent again is, each time, and its deadline ends that.
async fn breaks_again_and_again(what: &str, client: &Rpc, fault: impl AsyncFn()) {
    let faults = async || {
        loop {
            sleep(LIMIT / 4).await;
            fault().await;
        }
    };
    let ends_so = |error: &RpcError| {
        let was_sent = matches!(error, RpcError::ConnectionLost { sent: true, .. });
        was_sent || is_timeout(error)
    };
    let mut late = Vec::new();
    for _ in 0..ROUNDS {
        let call = client.call("nap", json!({})).idempotent(true);
        late.push(tokio::select! {
            late = lateness(call, ends_so) => late,
            () = faults() => unreachable!("they do not end"),
        });
        notice_loss(client).await;
        is_back(client).await;
    }
    within_the_promise("amqp://", what, late);
}

/// Client and server are back soon after the broker is, however long it was away.
async fn recovery(node: &RabbitNode) {
    let mut relay = TcpRelay::start(node.port()).await.unwrap();
    let url = relay.url(&node.url());
    let (client, server) = (
        Rpc::connect(&*url).await.unwrap(),
        Rpc::connect(&*url).await.unwrap(),
    );
    let ready = |_: Value| async { Ok::<_, String>(()) };
    server.register("ready", ready).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        relay.refuse().await.unwrap();
        relay.cut().await.unwrap();
        // Long enough for the longest pauses between attempts.
        sleep(Duration::from_secs(4)).await;
        relay.accept().await.unwrap();
        let start = Instant::now();
        assert_eq!(client.call("ready", ()).await, Ok(Value::Null));
        took.push(start.elapsed());
    }
    within("amqp://", "back after an outage", took, RECOVERY);
}

/// A call reaches the broker again, and its word comes back.
async fn is_back(client: &Rpc) {
    let error = client.call("nobody", ()).await.unwrap_err();
    assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");
}

/// A call at the very moment of a loss may be lost with it; those that come later wait for a connection.
async fn notice_loss(client: &Rpc) {
    let call = client.call("nap", json!({}));
    call.timeout(LIMIT).await.unwrap_err();
}

async fn ends_in_time(what: &str, client: &Rpc, ends_so: impl Fn(&RpcError) -> bool) {
    within_the_promise("amqp://", what, late_by(client, ends_so).await);
}

fn is_timeout(error: &RpcError) -> bool {
    matches!(error, RpcError::Timeout { .. })
}

/// Of the broker being reachable.
const RECOVERY: Duration = Duration::from_secs(1);
