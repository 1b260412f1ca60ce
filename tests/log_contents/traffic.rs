//! Calls of this library's own, of all sorts.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{Batching, QueueOptions, Rpc, RpcBuilder};
use rpc_tests::{RawPeer, TcpRelay};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{PASSWORD, POOR, Place, USER};

#[derive(Deserialize)]
struct Typed {
    n: u64,
}

/// Serves a method that ends in each way.
pub(crate) async fn serve(rpc: &Rpc) {
    let how = |value: Value| async move {
        match value["how"].as_str().unwrap_or_default() {
            "fail" => Err("zq7-error".to_owned()),
            "panic" => panic!("zq7-panic"),
            "nap" => {
                sleep(Duration::from_millis(300)).await;
                Ok(json!("zq7-result"))
            }
            "large" => Ok(json!("zq7-result".repeat(20_000))),
            _ => Ok(json!({"zq7-field": "zq7-result"})),
        }
    };
    rpc.register("how", how)
        .idempotent(true)
        .dead_letter_queue("how.lost")
        .await
        .unwrap();
    let typed = |Typed { n }: Typed| async move { Ok::<_, String>(n) };
    rpc.register("typed", typed).await.unwrap();
}

pub(crate) async fn all(place: &Place) {
    let url = place.url(USER, PASSWORD);
    for batching in [Batching::off(), Batching::always()] {
        let mut relay = TcpRelay::start(place.node.port()).await.unwrap();
        let server = limited(relay.url(&url)).connect().await.unwrap();
        serve(&server).await;
        let builder = limited(relay.url(&url)).batching(batching);
        let client = builder.connect().await.unwrap();
        calls(&client).await;
        returned(&client).await;
        lost(&client, &mut relay).await;
        // What has not begun is handed back.
        let calls = (0..400).map(|_| how(&client, "nap").timeout(Duration::from_secs(1)));
        let calls = tokio::spawn(join_all(calls.map(IntoFuture::into_future)));
        sleep(Duration::from_millis(100)).await;
        server.close().await;
        calls.await.unwrap();
        client.close().await;
    }
    bounced(&url).await;
    refused(place).await;
}

/// Larger messages are refused.
fn limited(url: String) -> RpcBuilder {
    Rpc::builder(url).max_message_size(100_000)
}

fn how(client: &Rpc, how: &str) -> rpc_core::Call<Value> {
    let arguments = json!({"how": how, "zq7-argument": "zq7-argument"});
    client.call("how", arguments).header("note", "zq7-header")
}

/// Calls that are answered, or whose servers fail them.
async fn calls(client: &Rpc) {
    for end in ["well", "fail", "panic", "nap", "large"] {
        join_all((0..20).map(|_| how(client, end).into_future())).await;
        let _ = how(client, end).one_way().await;
        let _ = how(client, end).timeout(Duration::from_millis(100)).await;
        let _ = how(client, end).confirmed(true).await;
        let _ = how(client, end).returning::<u64>().await;
    }
    for arguments in [
        json!({"n": "zq7-argument"}),
        json!({"zq7-name": 1}),
        json!("zq7-argument"),
    ] {
        let _ = client.call("typed", arguments.clone()).await;
        let _ = client.call("typed", arguments).one_way().await;
    }
    let _ = client
        .call("how", json!({}))
        .header("note", "zq7-header".repeat(20_000))
        .await;
    let _ = client
        .call("how", json!({"zq7": "zq7-argument".repeat(20_000)}))
        .await;
}

/// Calls of a method that nobody serves.
async fn returned(client: &Rpc) {
    let call = || {
        client
            .call("nobody", json!({"zq7": "zq7-returned"}))
            .header("note", "zq7-header")
    };
    join_all((0..20).map(|_| call().into_future())).await;
    let _ = call().one_way().await;
    let _ = call().confirmed(true).await;
    let _ = call().idempotent(true).await;
}

/// Calls whose connections are lost.
async fn lost(client: &Rpc, relay: &mut TcpRelay) {
    let calls: Vec<_> = (0..20)
        .map(|number| tokio::spawn(how(client, "nap").idempotent(number % 2 == 0).into_future()))
        .collect();
    sleep(Duration::from_millis(100)).await;
    relay.refuse().await.unwrap();
    relay.cut().await.unwrap();
    sleep(Duration::from_millis(500)).await;
    relay.accept().await.unwrap();
    join_all(calls).await;
    let back = async { while how(client, "well").await.is_err() {} };
    timeout(Duration::from_secs(60), back).await.unwrap();
}

/// Calls that come back: expired, one too many, rejected.
async fn bounced(url: &str) {
    let rpc = Rpc::connect(url).await.unwrap();
    let full = QueueOptions::default().max_length(1);
    let server = rpc.register("full", |_: Value| async { Ok::<_, String>(()) });
    server.queue(full).await.unwrap().shutdown().await.unwrap();
    let peer = RawPeer::connect(url).await.unwrap();
    for (batching, queue) in [
        (Batching::off(), "rejecting"),
        (Batching::always(), "rpc.lane.rejecting"),
    ] {
        peer.method_queue(queue).await.unwrap();
        let mut rejecting = peer.consume(queue).await.unwrap();
        let client = Rpc::builder(url)
            .batching(batching)
            .connect()
            .await
            .unwrap();
        let call = |method: &'static str| {
            let call = client
                .call(method, json!({"zq7": "zq7-bounced"}))
                .header("note", "zq7-header");
            tokio::spawn(call.timeout(Duration::from_millis(400)).into_future())
        };
        let calls: Vec<_> = ["full", "full", "full", "rejecting"].map(call).into();
        rejecting.next().await.unwrap().reject(false).await.unwrap();
        for call in calls {
            call.await.unwrap().unwrap_err();
        }
        client.close().await;
    }
    rpc.close().await;
}

/// Logins and permissions that are refused.
async fn refused(place: &Place) {
    for (user, password) in [(USER, "zq7-wrong"), ("zq7-unknown", PASSWORD)] {
        Rpc::connect(place.url(user, password)).await.unwrap_err();
    }
    let other = place.node.url_for(USER, PASSWORD, "zq7-vhost");
    Rpc::connect(other).await.unwrap_err();
    // The password is changed while a program is connected.
    let relay = TcpRelay::start(place.node.port()).await.unwrap();
    let poor = Rpc::connect(relay.url(&place.url(POOR, PASSWORD)))
        .await
        .unwrap();
    let _ = poor
        .register("how", |_: Value| async { Ok::<_, String>(()) })
        .await;
    let _ = poor
        .call("how", json!({"zq7": "zq7-argument"}))
        .timeout(Duration::from_secs(1))
        .await;
    place
        .node
        .ctl(&["change_password", POOR, "zq7-changed"])
        .await
        .unwrap();
    relay.cut().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    poor.close().await;
    // A server whose calls may come, but not in batches; and one that may not answer.
    let vhost = place.vhost.name();
    let page = r"^(rpc\.reply\..*|rpc\.dlx|how|how\.lost|typed)$";
    for write in [
        r"^(rpc\.reply\..*|rpc\.dlx|amq\.default)$",
        r"^(rpc\.reply\..*|rpc\.dlx)$",
    ] {
        let permissions = ["set_permissions", "-p", vhost, POOR, page, write, page];
        place.node.ctl(&permissions).await.unwrap();
        let server = Rpc::connect(place.url(POOR, "zq7-changed")).await.unwrap();
        serve(&server).await;
        let client = Rpc::connect(place.url(USER, PASSWORD)).await.unwrap();
        let _ = how(&client, "well").timeout(Duration::from_secs(1)).await;
        server.close().await;
        client.close().await;
    }
}
