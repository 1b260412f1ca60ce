//! A one-way call of ours, and those of others.

use std::time::Duration;

use lapin::BasicProperties;
use rpc_core::RpcError;
use rpc_tests::{RawPeer, long};
use serde_json::json;

use crate::probe::{Nap, Tally};
use crate::site::{Site, eventually};

/// ONEWAY-1
#[tokio::test]
async fn a_one_way_call_is_persistent_and_asks_for_no_answer() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("add").await.unwrap();
    let client = site.rpc().await;
    let call = client.call("add", json!({"a": 1, "b": 2}));
    let call = call.priority(3).header("tenant", "acme");
    let call = call.timeout(Duration::from_secs(9)).one_way();
    call.await.unwrap();
    let message = peer.consume("add").await.unwrap().next().await.unwrap();
    let properties = &message.0.properties;
    assert_eq!(message.kind(), Some("call"));
    assert_eq!(message.json().unwrap(), json!({"a": 1, "b": 2}));
    assert_eq!(message.correlation_id().map(str::len), Some(36));
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.priority(), Some(3));
    assert_eq!(properties.content_type(), &Some("application/json".into()));
    assert_eq!(message.header("tenant"), Some(&long("acme")));
    // Nothing by which it could be answered, bounce, or end.
    assert_eq!(message.reply_to(), None);
    assert_eq!(*properties.expiration(), None);
    for name in ["From", "rpc-timeout", "rpc-deadline"] {
        assert_eq!(message.header(name), None, "{name}");
    }
}

/// The broker confirms it before anybody takes it.
/// ONEWAY-2
#[tokio::test]
async fn a_one_way_call_ends_before_it_is_taken_and_whatever_is_done_with_it() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("add").await.unwrap();
    let client = site.rpc().await;
    client.call("add", ()).one_way().await.unwrap();
    assert_eq!(peer.counts("add").await.unwrap(), (1, 0));
    let message = peer.consume("add").await.unwrap().next().await.unwrap();
    // It would bounce if it had a caller.
    message.reject(false).await.unwrap();
    // The peer's consumer is cancelled in the background, and would take the next one.
    eventually("nobody takes calls", || async {
        peer.counts("add").await.unwrap() == (0, 0)
    })
    .await;
    client.call("add", ()).one_way().await.unwrap();
    // A queue that goes takes what is in it along.
    assert_eq!(peer.delete("add").await.unwrap(), 1);
    let error = client.call("add", ()).one_way().await.unwrap_err();
    assert!(matches!(error, RpcError::NoSuchMethod { .. }), "{error:?}");
}

/// Any peer can send one: a call without `reply_to`.
/// SERVE-8
#[tokio::test]
async fn a_one_way_call_of_another_peer_runs() {
    let site = Site::rabbitmq().await;
    let server = site.rpc().await;
    let tally = Tally::default();
    let handler = tally.clone();
    let nap = move |nap: Nap| handler.clone().nap(nap);
    server.register("nap", nap).await.unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    for body in [&br#"{"millis": 1}"#[..], b"no JSON", br#"{"millis": 2}"#] {
        let bare = BasicProperties::default();
        peer.publish("nap", bare, body).await.unwrap();
    }
    eventually("both ran", || async { tally.finished() == 2 }).await;
    server.close().await;
    // What was taken is acked, also what could not be read.
    assert_eq!(peer.counts("nap").await.unwrap(), (0, 0));
}
