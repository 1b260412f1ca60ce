//! Calls that were given up and cannot be kept.

use lapin::BasicProperties;
use rpc_tests::{Log, RawPeer, call_properties, shared_node};
use serde_json::json;
use tracing_subscriber::util::SubscriberInitExt;

use crate::probe::{Nap, Tally};
use crate::site::{Site, eventually};

/// Has a call that may run no more given up, whose dead-letter queue `spoil` sees before; the log.
async fn give_up(site: &Site, spoil: impl AsyncFnOnce(&RawPeer)) -> String {
    site.uses(&["nap", "nap.lost"]).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let _reading = subscriber.set_default();
    let server = site.rpc().await;
    let tally = Tally::default();
    let handler = tally.clone();
    let nap = move |nap: Nap| handler.clone().nap(nap);
    let serve = server.register("nap", nap).dead_letter_queue("nap.lost");
    serve.await.unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    spoil(&peer).await;

    // One whose caller waits, and one of which nothing is known.
    let replies = peer.reply_queue().await.unwrap();
    let mut reply = peer.consume_no_ack(&replies).await.unwrap();
    let awaited = call_properties(&replies, "1");
    let mut headers = awaited.headers().clone().unwrap_or_default();
    headers.insert("rpc-attempts".into(), 2.into());
    let unknown = BasicProperties::default().with_headers(headers.clone());
    for properties in [awaited.with_headers(headers), unknown] {
        let published = peer.publish("nap", properties, json!({"millis": 1}).to_string());
        published.await.unwrap();
    }
    let reply = reply.next().await.unwrap();
    assert_eq!(reply.json().unwrap()["error"]["type"], "rpc.Poisoned");
    eventually("both are said to be lost", async || {
        log.text()
            .matches("the dead-letter queue did not take it")
            .count()
            == 2
    })
    .await;
    assert_eq!(tally.started(), 0);
    log.text()
}

/// LOST-6
#[tokio::test]
async fn a_call_whose_dead_letter_queue_is_gone_is_told_and_logged() {
    let site = Site::rabbitmq().await;
    let log = give_up(&site, async |peer| {
        peer.delete("nap.lost").await.unwrap();
    });
    let log = log.await;
    assert!(log.contains("ERROR") && log.contains("it is gone"), "{log}");
    assert!(log.contains("nap.lost"), "{log}");
}

/// LOST-6
#[tokio::test]
async fn a_call_whose_dead_letter_queue_is_full_is_told_and_logged() {
    let site = Site::rabbitmq().await;
    let log = give_up(&site, async |peer| {
        refuse_all(&site, peer, "nap.lost").await;
    });
    let log = log.await;
    assert!(log.contains("ERROR") && log.contains("it is full"), "{log}");
}

/// Has a queue refuse all that comes.
async fn refuse_all(site: &Site, peer: &RawPeer, queue: &str) {
    let node = shared_node().await.node().expect("it needs rabbitmqctl");
    let (vhost, pattern) = (site.vhost_name(), format!("^{queue}$"));
    let full = r#"{"max-length": 0, "overflow": "reject-publish"}"#;
    let arguments = ["set_policy", "-p", vhost, "full", &pattern, full];
    node.ctl(&arguments).await.unwrap();
    eventually("the policy acts", async || {
        let properties = call_properties("nobody", "0");
        peer.try_publish(queue, properties, "{}").await.is_err()
    })
    .await;
}
