//! Messages that lapin cannot read, and would give its connection up at, or its process.

use std::time::Duration;

use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use rpc_core::{Progress, Rpc, RpcError};
use rpc_tests::{Log, RawFrames, RawPeer, TcpRelay, long, short, sized, table};
use serde_json::json;
use tokio::task::JoinHandle;
use tracing_subscriber::util::SubscriberInitExt;

use crate::probe::{Nap, Tally};
use crate::site::{Site, builder, eventually, port_of};

/// Properties as their bytes, and what is wrong with them.
pub(crate) fn flawed() -> Vec<(Vec<u8>, &'static str)> {
    let with = |flags: u16, fields: &[u8]| [&flags.to_be_bytes()[..], fields].concat();
    vec![
        (
            with(CORRELATION_ID, &short(b"\xFF\xFE")),
            "its property correlation_id is not UTF-8",
        ),
        (
            with(CONTENT_TYPE, &short(b"text/\xC3")),
            "its property content_type is not UTF-8",
        ),
        (
            with(HEADERS, &sized(&[&short(b"\xC3")[..], b"V"].concat())),
            "the name of one of its headers is not UTF-8",
        ),
        (
            with(HEADERS, &sized(&nested(20_000))),
            "its headers are nested more than 127 deep",
        ),
    ]
}

const CONTENT_TYPE: u16 = 1 << 15;
const HEADERS: u16 = 1 << 13;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;

/// The content of a table with tables in each other.
fn nested(depth: usize) -> Vec<u8> {
    let per_level = [0, b'F', 0, 0, 0, 0].len();
    let levels = (0..depth).rev().map(|inside| {
        let size = u32::try_from(inside * per_level).unwrap();
        [&[0, b'F'][..], &size.to_be_bytes()].concat()
    });
    levels.collect::<Vec<_>>().concat()
}

/// A client and a server whose connections do not come back once they are lost.
pub(crate) struct Scene {
    client: Rpc,
    server: Rpc,
    relay: TcpRelay,
    connections: usize,
    tally: Tally,
    /// A call that runs.
    running: Option<JoinHandle<Result<serde_json::Value, RpcError>>>,
}

impl Scene {
    pub(crate) async fn new(client: Rpc, server: Rpc, mut relay: TcpRelay) -> Self {
        let tally = Tally::default();
        let handler = tally.clone();
        server
            .register("nap", move |nap: Nap| handler.clone().nap(nap))
            .dead_letter_queue("nap.lost")
            .await
            .unwrap();
        relay.refuse().await.unwrap();
        let connections = relay.connections();
        // One of each for calls, and one for serving.
        assert_eq!(connections, 3);
        Self {
            client,
            server,
            relay,
            connections,
            tally,
            running: None,
        }
    }

    async fn on(site: &Site) -> Self {
        site.uses(&["nap", "nap.lost"]).await;
        let relay = TcpRelay::start(port_of(site.url())).await.unwrap();
        let client = builder(relay.url(site.url())).connect().await.unwrap();
        // It takes batches, however the calls of this run travel.
        let server = Rpc::connect(relay.url(site.url())).await.unwrap();
        Self::new(client, server, relay).await
    }

    /// Makes a call that runs until `check`.
    pub(crate) async fn call(&mut self) {
        let before = self.tally.started();
        let call = self.client.call("nap", json!({"millis": 200}));
        self.running = Some(tokio::spawn(call));
        eventually("it runs", async || self.tally.started() > before).await;
    }

    /// The call that runs ends as if nothing were, and so do others, on the same connections.
    pub(crate) async fn check(&mut self) {
        let running = self.running.take().unwrap();
        assert_eq!(running.await.unwrap(), Ok(json!(200)));
        for rpc in [&self.client, &self.server] {
            let call = rpc.call("nap", json!({"millis": 1}));
            assert_eq!(call.await, Ok(json!(1)));
        }
        assert_eq!(self.relay.connections(), self.connections);
        assert_eq!(self.tally.started(), self.tally.finished());
    }
}

/// What is kept of messages that could not be read.
async fn letters(site: &Site, flaws: Vec<(Vec<u8>, &'static str)>) {
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let mut letters = peer.consume("nap.lost").await.unwrap();
    for (properties, reason) in flaws {
        let letter = letters.next().await.unwrap();
        assert_eq!(letter.kind(), Some("rpc.unreadable"));
        assert_eq!(letter.header("rpc-unreadable"), Some(&long(reason)));
        assert_eq!(letter.header("rpc-method"), Some(&long("nap")));
        let mut shown = properties.escape_ascii().to_string();
        shown.truncate(3072);
        assert_eq!(letter.header("rpc-properties"), Some(&long(&shown)));
        assert_eq!(letter.0.data, b"{\"millis\": 1}");
        letter.ack().await.unwrap();
    }
}

/// Publishes each to a queue of the server, which goes on.
async fn endure(site: &Site, queue: &str) {
    let mut scene = Scene::on(site).await;
    site.open_lanes("nap", 1).await;
    let mut peer = RawFrames::connect(site.url()).await.unwrap();
    let flaws = flawed();
    for (number, (properties, reason)) in flaws.iter().enumerate() {
        scene.call().await;
        let body = b"{\"millis\": 1}";
        let published = peer.publish("", queue.as_bytes(), properties, body);
        published.await.expect(reason);
        eventually(reason, async || site.depth("nap.lost").await == number + 1).await;
        scene.check().await;
    }
    assert_eq!(site.depth("nap").await, 0);
    letters(site, flaws).await;
}

/// CALL-5, UNREAD-1, UNREAD-2, UNREAD-3
#[tokio::test]
async fn a_method_queue() {
    let site = Site::rabbitmq().await;
    endure(&site, "nap").await;
}

/// UNREAD-1, UNREAD-2, UNREAD-3
#[tokio::test]
async fn a_lane() {
    let site = Site::rabbitmq().await;
    endure(&site, "rpc.lane.nap").await;
}

/// UNREAD-4
#[tokio::test]
async fn a_reply_queue() {
    let site = Site::rabbitmq().await;
    site.uses(&["peek"]).await;
    let mut scene = Scene::on(&site).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("peek").await.unwrap();
    let mut calls = peer.consume("peek").await.unwrap();
    let call = scene
        .client
        .call("peek", ())
        .timeout(Duration::from_millis(500));
    let call = tokio::spawn(call);
    let peeked = calls.next().await.unwrap();
    let queue = peeked.reply_to().unwrap().as_bytes();
    let mut raw = RawFrames::connect(site.url()).await.unwrap();
    for (properties, reason) in flawed() {
        scene.call().await;
        let published = raw.publish("", queue, &properties, b"3");
        published.await.expect(reason);
        scene.check().await;
    }
    // None of them was an answer.
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, RpcError::Timeout { .. }), "{error:?}");
}

/// It is rejected: nobody is answered, and the broker's dead letters have it as it was.
/// UNREAD-2
#[tokio::test]
async fn the_broker_takes_it_for_a_dead_letter() {
    let site = Site::rabbitmq().await;
    site.uses(&["kept"]).await;
    let mut scene = Scene::on(&site).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let replies = peer.reply_queue().await.unwrap();
    let mut replied = peer.consume_no_ack(&replies).await.unwrap();
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    peer.declare("kept", options, FieldTable::default())
        .await
        .unwrap();
    // All that has no header to compare.
    let bound = peer.channel().queue_bind(
        "kept".into(),
        "rpc.dlx".into(),
        "".into(),
        QueueBindOptions::default(),
        table(&[("x-match", long("all"))]),
    );
    bound.await.unwrap();
    let flags = (CORRELATION_ID | REPLY_TO).to_be_bytes();
    let properties = [&flags[..], &short(b"\xFF"), &short(replies.as_bytes())].concat();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let logging = subscriber.finish().set_default();
    let mut raw = RawFrames::connect(site.url()).await.unwrap();
    scene.call().await;
    raw.publish("", b"nap", &properties, b"{}").await.unwrap();
    eventually("it is kept", async || {
        peer.counts("kept").await.unwrap().0 == 1
    })
    .await;
    scene.check().await;
    drop(logging);
    let log = log.text();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN ")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    for words in [
        "queue=\"nap\"",
        "its property correlation_id is not UTF-8",
        "dead_letter_queue",
    ] {
        assert!(
            warnings[0].contains(words),
            "`{words}` is missing in: {log}"
        );
    }
    replied
        .nothing_for(Duration::from_millis(100))
        .await
        .unwrap();
}

/// The call is as good as any: nothing of it depends on the key.
/// UNREAD-5
#[tokio::test]
async fn a_routing_key() {
    let site = Site::rabbitmq().await;
    let mut scene = Scene::on(&site).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let replies = peer.reply_queue().await.unwrap();
    let mut replied = peer.consume_no_ack(&replies).await.unwrap();
    let options = ExchangeDeclareOptions {
        auto_delete: true,
        ..ExchangeDeclareOptions::default()
    };
    let channel = peer.channel();
    channel
        .exchange_declare(
            "topics".into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            "nap".into(),
            "topics".into(),
            "#".into(),
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    let flags = (CORRELATION_ID | REPLY_TO).to_be_bytes();
    let properties = [&flags[..], &short(b"id"), &short(replies.as_bytes())].concat();
    let mut raw = RawFrames::connect(site.url()).await.unwrap();
    scene.call().await;
    raw.publish("topics", b"to.\xFF\xFE", &properties, b"{\"millis\": 1}")
        .await
        .unwrap();
    let reply = replied.next().await.unwrap();
    assert_eq!(
        (reply.kind(), reply.correlation_id()),
        (Some("result"), Some("id"))
    );
    scene.check().await;
}

/// RabbitMQ cuts the text of a refusal at 252 bytes, which may be within a letter.
/// UNREAD-5
#[tokio::test]
async fn a_refusal_that_names_a_queue() {
    let site = Site::rabbitmq().await;
    let mut scene = Scene::on(&site).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    for (letters, progress) in [(49, Progress::NoQueue), (119, Progress::Unknown)] {
        let method = format!("x{}", "\u{fc}".repeat(letters));
        peer.method_queue(&method).await.unwrap();
        scene.call().await;
        let call = scene.client.call(method.clone(), ());
        // The look has a sixteenth of it.
        let call = call.timeout(Duration::from_secs(4));
        let call = tokio::spawn(call);
        eventually("it waits", async || {
            peer.counts(&method).await.unwrap().0 == 1
        })
        .await;
        peer.delete(&method).await.unwrap();
        // It is looked for, and is not there.
        let error = call.await.unwrap().unwrap_err();
        let RpcError::Timeout { progress: told, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(told, progress);
        scene.check().await;
    }
}

/// Brokers take no headers of types that they do not know themselves.
#[tokio::test]
async fn an_unknown_type_of_header_gets_no_further_than_the_broker() {
    let site = Site::rabbitmq().await;
    let mut scene = Scene::on(&site).await;
    let mut raw = RawFrames::connect(site.url()).await.unwrap();
    let header = [&short(b"name")[..], b"z"].concat();
    let properties = [&HEADERS.to_be_bytes()[..], &sized(&header)].concat();
    scene.call().await;
    let refused = raw.publish("", b"nap", &properties, b"{}").await;
    refused.expect_err("the broker took it");
    scene.check().await;
}
