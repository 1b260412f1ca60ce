//! Messages of peers that are not of this library.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::QueueDeleteOptions;
use lapin::types::{AMQPValue, FieldTable};
use rpc_core::Rpc;
use rpc_tests::{RawFrames, RawPeer, call_properties, long, reply_properties, short, sized, table};
use serde_json::json;
use tokio::time::sleep;

use crate::{PASSWORD, Place, USER, traffic};

pub(crate) async fn all(place: &Place) {
    let url = place.url(USER, PASSWORD);
    let server = Rpc::connect(&url).await.unwrap();
    traffic::serve(&server).await;
    let peer = RawPeer::connect(place.vhost.url()).await.unwrap();
    to_servers(&peer).await;
    unreadable(place, "how").await;
    unreadable(place, "rpc.lane.how").await;
    to_a_caller(place, &peer, &url).await;
    dead_letters(&peer).await;
    // The peer's last message ends the connection of whoever answers it.
    let doomed = call_properties("amq.rabbitmq.reply-to.zq7-reply-to.zq7", "zq7-id");
    peer.publish("how", doomed, "{}").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    peer.purge("how").await.unwrap();
    server.close().await;
}

fn headers(properties: BasicProperties) -> BasicProperties {
    let marked = table(&[
        ("note", long("zq7-header")),
        ("bytes", AMQPValue::ByteArray(b"zq7-header"[..].into())),
        ("rpc-timeout", long("zq7-header")),
        ("rpc-attempts", long("zq7-header")),
        ("x-death", long("zq7-header")),
    ]);
    properties.with_headers(marked)
}

async fn to_servers(peer: &RawPeer) {
    for kind in ["call", "result", "zq7-type", "batch"] {
        for body in [
            "{\"n\": \"zq7-body\"}",
            "zq7-body",
            "\"zq7-body",
            "[\"zq7-body\"]",
        ] {
            for reply_to in ["zq7-reply-to", "", "typed"] {
                let properties = call_properties(reply_to, "zq7-id")
                    .with_type(kind.into())
                    .with_content_type("zq7-content-type".into())
                    .with_expiration("zq7".into());
                let properties = match reply_to {
                    "" => BasicProperties::default().with_type(kind.into()),
                    _ => properties.with_expiration("5000".into()),
                };
                for queue in ["typed", "how", "rpc.lane.how", "rpc.lane.typed"] {
                    peer.publish(queue, headers(properties.clone()), body)
                        .await
                        .unwrap();
                }
            }
        }
    }
    // Records that can be read, but for their headers or the last of them.
    for (header, tail) in [
        ("{\"zq7\": 1", ""),
        ("{\"a\": \"zq7-header\"}", "Czq7-body"),
        ("", ""),
    ] {
        let record = [
            &b"C"[..],
            &short(b"zq7-id"),
            &[0; 6],
            &[9, 9],
            &[0; 8],
            &sized(header.as_bytes()),
            &sized(b"{\"how\": \"zq7-body\"}"),
            tail.as_bytes(),
        ];
        let properties = call_properties("zq7-reply-to", "").with_type("batch".into());
        peer.publish("rpc.lane.how", headers(properties), record.concat())
            .await
            .unwrap();
    }
}

/// Properties that lapin cannot read.
async fn unreadable(place: &Place, queue: &str) {
    let mut raw = RawFrames::connect(place.vhost.url()).await.unwrap();
    let id = (1_u16 << 10, short(b"zq7-id\xFF"));
    let name = (
        1 << 13,
        sized(&[&short(b"zq7\xC3")[..], b"S", &sized(b"zq7-header")].concat()),
    );
    for (flags, fields) in [id, name] {
        let properties = [&flags.to_be_bytes()[..], &fields].concat();
        raw.publish("", queue.as_bytes(), &properties, b"zq7-body")
            .await
            .unwrap();
    }
}

/// Replies that nobody waits for, and those that cannot be used.
async fn to_a_caller(place: &Place, peer: &RawPeer, url: &str) {
    let client = Rpc::connect(url).await.unwrap();
    peer.method_queue("peek").await.unwrap();
    let mut calls = peer.consume_no_ack("peek").await.unwrap();
    for body in [
        "\"zq7-reply",
        "{\"error\": {\"type\": \"zq7-kind\", \"message\": \"zq7-error\"}}",
    ] {
        for kind in ["result", "error", "zq7-type", "call", "batch"] {
            let call = client
                .call("peek", json!({"zq7": "zq7-argument"}))
                .returning::<u64>();
            let call = tokio::spawn(call.timeout(Duration::from_millis(200)).into_future());
            let peeked = calls.next().await.unwrap();
            let queue = peeked.reply_to().unwrap();
            for id in ["zq7-id", "", peeked.correlation_id().unwrap()] {
                let reply = headers(reply_properties(kind, id));
                peer.publish(queue, reply, body).await.unwrap();
            }
            call.await.unwrap().unwrap_err();
            unreadable(place, queue).await;
        }
    }
    client.close().await;
}

/// Calls that two servers were lost with; the second has no queue to be kept in.
async fn dead_letters(peer: &RawPeer) {
    for kept in [true, false] {
        if !kept {
            let deleting = peer
                .channel()
                .queue_delete("how.lost".into(), QueueDeleteOptions::default());
            deleting.await.unwrap();
        }
        let mut marks = FieldTable::default();
        marks.insert("rpc-attempts".into(), 2_i64.into());
        marks.insert("note".into(), long("zq7-header"));
        let call = call_properties("zq7-reply-to", "zq7-id").with_headers(marks);
        peer.publish("how", call, "{\"how\": \"zq7-body\"}")
            .await
            .unwrap();
        sleep(Duration::from_millis(300)).await;
    }
}
