//! One-way calls and brokers that stop, block, say nothing or refuse.

use std::time::Duration;

use futures_util::future::join_all;
use rpc_core::{MemoryBroker, Rpc, RpcError};
use rpc_tests::{RabbitNode, shared_node};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{Notes, note};
use crate::site::{Site, connect, eventually};

/// Two methods, of which one may run again, and no server; and a handle for which that is so.
async fn two_queues(rpc: &Rpc, again: &Rpc) {
    let servers = [
        Notes::default().serve(rpc).await.unwrap(),
        Notes::default()
            .serve(again)
            .idempotent(true)
            .await
            .unwrap(),
    ];
    for server in servers {
        server.shutdown().await.unwrap();
    }
}

/// ONEWAY-1, ONEWAY-3
#[tokio::test]
async fn one_way_calls_survive_their_broker() {
    let mut node = RabbitNode::start().await.unwrap();
    let client = connect(node.url()).await.unwrap();
    let again = client.with_prefix("again.");
    two_queues(&client, &again).await;
    note(&client, 1).await.unwrap();
    note(&again, 1).await.unwrap();
    node.restart().await.unwrap();
    // On the next connection.
    note(&client, 2).await.unwrap();
    note(&again, 2).await.unwrap();
    let notes = Notes::default();
    let server = notes.serve(&client).await.unwrap();
    notes.are(&[1, 2]).await;
    server.shutdown().await.unwrap();

    // A node that did not stop in order may mark all that it finds as redelivered, as if it may have run.
    note(&client, 3).await.unwrap();
    node.kill().await.unwrap();
    let waiting = tokio::spawn(note(&again, 3));
    node.restart().await.unwrap();
    waiting.await.unwrap().unwrap();
    let notes = Notes::default();
    notes.serve(&again).idempotent(true).await.unwrap();
    notes.are(&[1, 2, 3]).await;
    let notes = Notes::default();
    notes.serve(&client).await.unwrap();
    note(&client, 4).await.unwrap();
    eventually("the last is noted", || async {
        notes.sorted().contains(&4)
    })
    .await;
    assert!([&[4][..], &[3, 4]].contains(&&*notes.sorted()));
}

#[tokio::test]
async fn one_way_calls_survive_a_memory_broker() {
    let broker = MemoryBroker::named("survived");
    let client = connect("memory://survived").await.unwrap();
    let notes = Notes::default();
    let server = notes.serve(&client).await.unwrap();
    server.shutdown().await.unwrap();
    note(&client, 1).await.unwrap();
    broker.stop();
    let waiting = tokio::spawn(note(&client, 2));
    broker.start();
    waiting.await.unwrap().unwrap();
    notes.serve(&client).await.unwrap();
    notes.are(&[1, 2]).await;
}

#[tokio::test]
async fn a_one_way_call_waits_while_the_broker_blocks() {
    let broker = MemoryBroker::named("one way blocked");
    let client = connect("memory://one way blocked").await.unwrap();
    let notes = Notes::default();
    notes.serve(&client).await.unwrap();
    broker.block("low on memory");
    let limit = Duration::from_millis(50);
    let call = client.call("note", json!({"n": 1})).timeout(limit);
    let error = call.one_way().await.unwrap_err();
    assert!(matches!(error, RpcError::Blocked { .. }), "{error:?}");
    let waiting = tokio::spawn(note(&client, 2));
    broker.unblock();
    waiting.await.unwrap().unwrap();
    notes.are(&[2]).await;
}

/// Whether the broker has the call is not known then.
/// ONEWAY-2
#[tokio::test]
async fn a_one_way_call_that_is_not_confirmed_ends_by_its_limit_or_with_its_connection() {
    let mut node = RabbitNode::start().await.unwrap();
    let client = connect(node.url()).await.unwrap();
    let notes = Notes::default();
    notes.serve(&client).await.unwrap();
    note(&client, 1).await.unwrap();
    node.pause().unwrap();
    let limit = Duration::from_millis(300);
    let call = client.call("note", json!({"n": 2})).timeout(limit);
    let error = call.one_way().await.unwrap_err();
    assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
    let lost = tokio::spawn(client.call("note", json!({"n": 3})).one_way());
    // Until it was handed to the connection, which is frozen and says nothing of it.
    sleep(limit).await;
    node.kill().await.unwrap();
    let error = lost.await.unwrap().unwrap_err();
    assert!(
        matches!(error, RpcError::ConnectionLost { sent: true, .. }),
        "{error:?}"
    );
}

/// The broker closes the channel of a caller who may not call, and leaves the connection.
#[tokio::test]
async fn one_way_calls_that_are_refused_spoil_no_later_ones() {
    let site = Site::rabbitmq().await;
    let node = shared_node().await.node();
    let node = node.expect("a test that needs rabbitmqctl; unset RABBITMQ_URL");
    let permit = async |write: &str| {
        let vhost = site.vhost_name();
        let set = ["set_permissions", "-p", vhost, "eve", ".*", write, ".*"];
        node.ctl(&set).await.unwrap();
    };
    node.ctl(&["add_user", "eve", "secret"]).await.unwrap();
    permit(r"^rpc\..*").await;
    let notes = Notes::default();
    let server = site.rpc().await;
    notes.serve(&server).await.unwrap();
    let url = node.url_for("eve", "secret", site.vhost_name());
    let client = connect(url).await.unwrap();
    let calls = join_all((0..100).map(|n| tokio::spawn(note(&client, n))));
    // Far within their own limit.
    let ends = timeout(Duration::from_secs(20), calls).await.unwrap();
    for end in ends {
        let error = end.unwrap().unwrap_err();
        let refused = error.to_string().contains("ACCESS_REFUSED");
        assert!(refused, "{error:?}");
    }
    permit(".*").await;
    note(&client, 100).await.unwrap();
    notes.are(&[100]).await;
}
