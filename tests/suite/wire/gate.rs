//! What peers write harms nobody else, and costs no connection.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::QueueBindOptions;
use lapin::types::{AMQPValue, FieldArray};
use rpc_core::{Batching, Rpc};
use rpc_tests::{RawPeer, TcpRelay, call_properties, long, reply_properties, table};
use serde_json::json;

use crate::probe::{Nap, Tally};
use crate::site::{Site, builder, eventually, port_of};
use crate::unreadable::Scene;

/// The address of a peer's own direct replies, as the broker writes it.
async fn direct_address(peer: &RawPeer) -> String {
    let queue = peer.reply_queue().await.unwrap();
    let mut calls = peer.consume_no_ack(&queue).await.unwrap();
    let properties = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    peer.publish(&queue, properties, b"").await.unwrap();
    calls.next().await.unwrap().reply_to().unwrap().to_owned()
}

/// Addresses that differ from a real one in a single character of the process, or are none.
fn forged(address: &str) -> Vec<String> {
    let (process, key) = address.rsplit_once('.').unwrap();
    let start = "amq.rabbitmq.reply-to.".len();
    let changed = (start..process.len()).map(|place| {
        let with = if &process[place..=place] == "A" {
            "/"
        } else {
            "A"
        };
        format!("{}{with}{}.{key}", &process[..place], &process[place + 1..])
    });
    let others = ["x.y", "\0.\0", "", "x", "..", "A.B.C", "AAAA.AAAA"];
    let others = others.map(|rest| format!("amq.rabbitmq.reply-to.{rest}"));
    let lone = ["amq.rabbitmq.reply-to", "amq.rabbitmq.trace", "amq.direct"];
    let all = changed.chain(others).chain(lone.map(str::to_owned));
    all.filter(|forged| forged.len() <= 255).collect()
}

/// RabbitMQ before 4.2 crashes the channel of whoever publishes to most of these.
///
/// REPLY-5, UNREAD-1
#[tokio::test]
async fn a_forged_address_of_direct_replies_costs_its_own_call_only() {
    let site = Site::rabbitmq().await;
    site.uses(&["nap", "nap.lost"]).await;
    let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
    let client = builder(relay.url(site.url())).connect().await.unwrap();
    let server = Rpc::connect(relay.url(site.url())).await.unwrap();
    let mut scene = Scene::new(client, server, relay).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let mut replies = peer.consume_no_ack("amq.rabbitmq.reply-to").await.unwrap();
    let address = direct_address(&peer).await;
    let forged = forged(&address);
    assert!(forged.len() > 40, "{address}");
    scene.call().await;
    for address in &forged {
        let call = call_properties(address, "forged");
        peer.publish("nap", call, br#"{"millis": 1}"#)
            .await
            .unwrap();
    }
    // The last is a real one, and is answered.
    let call = call_properties("amq.rabbitmq.reply-to", "direct");
    peer.publish("nap", call, br#"{"millis": 1}"#)
        .await
        .unwrap();
    loop {
        let reply = replies.next().await.unwrap();
        if reply.correlation_id() == Some("direct") {
            assert_eq!(reply.json().unwrap(), json!(1));
            break;
        }
    }
    eventually("all are settled", async || {
        peer.counts("nap").await.unwrap().0 == 0
    })
    .await;
    scene.check().await;
}

/// A server's own replies must not become calls, wherever a caller sends them.
///
/// UNREAD-6
#[tokio::test]
async fn replies_in_the_queue_of_a_method_do_not_run() {
    let site = Site::rabbitmq().await;
    let server = site.rpc().await;
    let tally = Tally::default();
    let handler = tally.clone();
    server
        .register("nap", move |nap: Nap| handler.clone().nap(nap))
        .await
        .unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    for kind in ["result", "error", "batch"] {
        let reply = reply_properties(kind, "id");
        peer.publish("nap", reply, br#"{"millis": 1}"#)
            .await
            .unwrap();
    }
    assert_eq!(server.call("nap", json!({"millis": 2})).await, Ok(json!(2)));
    assert_eq!(
        (tally.started(), peer.counts("nap").await.unwrap().0),
        (1, 0)
    );
}

/// LIMIT-10, UNREAD-1
#[tokio::test]
async fn a_message_with_more_header_values_than_anybody_reads_is_rejected() {
    let site = Site::rabbitmq().await;
    let (_client, _server) = site.client_and_server().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let queue = peer.reply_queue().await.unwrap();
    let mut replies = peer.consume_no_ack(&queue).await.unwrap();
    for (id, values) in [("too many", 5_000), ("many", 4_000)] {
        let values = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Void; values]));
        let call = call_properties(&queue, id).with_headers(table(&[("many", values)]));
        peer.publish("add", call, br#"{"a": 1, "b": 2}"#)
            .await
            .unwrap();
    }
    let reply = replies.next().await.unwrap();
    assert_eq!(reply.correlation_id(), Some("many"));
    let nothing = replies.nothing_for(Duration::from_millis(200));
    nothing.await.unwrap();
}

/// A message holds no more calls than its server has places for.
///
/// BATCH-16
#[tokio::test]
async fn calls_of_a_batch_that_find_no_place_are_left_to_other_servers() {
    let site = Site::rabbitmq().await;
    // It takes batches, however the calls of this run travel.
    let busy = Rpc::connect(site.url()).await.unwrap();
    let idle = site.rpc().await;
    let (at_busy, at_idle) = (Tally::default(), Tally::default());
    let handler = at_busy.clone();
    let serving = busy.register("nap", move |nap: Nap| handler.clone().nap(nap));
    let _busy = serving.concurrency(64).await.unwrap();
    site.open_lanes("nap", 1).await;
    let caller = Rpc::builder(site.url()).batching(Batching::always());
    let caller = caller.connect().await.unwrap();
    let keep = |millis| caller.call("nap", json!({"millis": millis}));
    let keeping: Vec<_> = (0..64)
        .map(|_| tokio::spawn(keep(3_000).into_future()))
        .collect();
    eventually("it is busy", async || at_busy.started() == 64).await;

    let waiting: Vec<_> = (0..100)
        .map(|_| tokio::spawn(keep(1).into_future()))
        .collect();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    eventually("they are back", async || {
        peer.counts("nap").await.unwrap().0 > 0
    })
    .await;
    let handler = at_idle.clone();
    let serving = idle.register("nap", move |nap: Nap| handler.clone().nap(nap));
    let _idle = serving.await.unwrap();
    for call in waiting {
        assert_eq!(call.await.unwrap(), Ok(json!(1)));
    }
    // The busy server takes as many of them by themselves as it may hold.
    assert_eq!(at_busy.started() + at_idle.started(), 164);
    assert!(at_idle.started() >= 36, "{}", at_idle.started());
    for call in keeping {
        assert_eq!(call.await.unwrap(), Ok(json!(3_000)));
    }
}

/// UNREAD-7
#[tokio::test]
async fn what_would_crash_its_queue_when_it_is_rejected_is_acked() {
    let site = Site::rabbitmq().await;
    let (client, _server) = site.client_and_server().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let queue = peer.reply_queue().await.unwrap();
    let from = [("From", long(&queue)), ("x-match", long("any"))];
    let binding = peer.channel().queue_bind(
        queue.as_str().into(),
        "rpc.dlx".into(),
        "".into(),
        QueueBindOptions::default(),
        table(&from),
    );
    binding.await.unwrap();
    let mut letters = peer.consume_no_ack(&queue).await.unwrap();
    for (id, deaths) in [("odd", long("never")), ("plain", AMQPValue::Void)] {
        let headers = match id {
            "odd" => table(&[("From", long(&queue)), ("x-death", deaths)]),
            _ => table(&[("From", long(&queue))]),
        };
        let reply = reply_properties("result", id).with_headers(headers);
        peer.publish("add", reply, b"3").await.unwrap();
    }
    let letter = letters.next().await.unwrap();
    assert_eq!(letter.correlation_id(), Some("plain"));
    let nothing = letters.nothing_for(Duration::from_millis(200));
    nothing.await.unwrap();
    assert_eq!(
        client.call("add", json!({"a": 1, "b": 2})).await,
        Ok(json!(3))
    );
    assert_eq!(peer.counts("add").await.unwrap(), (0, 1));
}
