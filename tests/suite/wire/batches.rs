//! Batches, against peers driven by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use rpc_core::{Batching, Rpc, RpcError};
use rpc_tests::{RawConsumer, RawPeer, call_properties, long, reply_properties, table};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::site::{Site, serve};

const LANE: &str = "rpc.lane.add";

/// A record of a batch.
#[derive(Debug, PartialEq)]
struct Record {
    kind: u8,
    id: String,
    /// `rpc-timeout`, `rpc-deadline` and the further headers, of a call.
    call: Option<(u64, u64, Value)>,
    body: Value,
}

impl Record {
    fn write(&self, to: &mut Vec<u8>) {
        to.push(self.kind);
        to.push(u8::try_from(self.id.len()).unwrap());
        to.extend(self.id.as_bytes());
        if let Some((timeout, deadline, headers)) = &self.call {
            to.extend(timeout.to_be_bytes());
            to.extend(deadline.to_be_bytes());
            let headers = match headers {
                Value::Null => String::new(),
                headers => headers.to_string(),
            };
            write_long(to, headers.as_bytes());
        }
        write_long(to, self.body.to_string().as_bytes());
    }

    fn read(from: &mut &[u8]) -> Self {
        let kind = take(from, 1)[0];
        let length = usize::from(take(from, 1)[0]);
        let id = String::from_utf8(take(from, length).to_vec()).unwrap();
        let call = (kind == b'C').then(|| {
            let number = |from: &mut &[u8]| u64::from_be_bytes(take(from, 8).try_into().unwrap());
            let (timeout, deadline) = (number(from), number(from));
            let headers = serde_json::from_slice(take_long(from)).unwrap_or_default();
            (timeout, deadline, headers)
        });
        let body = serde_json::from_slice(take_long(from)).unwrap();
        Self {
            kind,
            id,
            call,
            body,
        }
    }

    fn read_all(mut from: &[u8]) -> Vec<Self> {
        let mut records = Vec::new();
        while !from.is_empty() {
            records.push(Self::read(&mut from));
        }
        records
    }
}

fn write_long(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    to.extend(bytes);
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(length);
    *from = rest;
    taken
}

fn take_long<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let length = u32::from_be_bytes(take(from, 4).try_into().unwrap());
    take(from, usize::try_from(length).unwrap())
}

fn lane_is(takes: bool) -> BasicProperties {
    BasicProperties::default().with_headers(table(&[("rpc-lane", AMQPValue::Boolean(takes))]))
}

async fn auto(site: &Site) -> Rpc {
    let builder = Rpc::builder(site.url()).batching(Batching::default());
    builder.connect().await.unwrap()
}

/// A server of ours, and a caller driven by hand with its reply queue.
async fn server_and_caller(site: &Site) -> (Rpc, RawPeer, String, RawConsumer) {
    let server = auto(site).await;
    serve(&server, crate::probe::Real).await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let queue = peer.reply_queue().await.unwrap();
    let replies = peer.consume_no_ack(&queue).await.unwrap();
    (server, peer, queue, replies)
}

/// The first is alone, and so is a call after all are answered; those between go as one.
/// BATCH-4, BATCH-5, BATCH-7, BATCH-8
#[tokio::test]
async fn calls_of_ours_travel_together_where_a_server_says_that_it_takes_batches() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    for queue in ["add", LANE] {
        peer.method_queue(queue).await.unwrap();
    }
    let mut calls = peer.consume_no_ack("add").await.unwrap();
    let mut batches = peer.consume_no_ack(LANE).await.unwrap();
    let client = auto(&site).await;
    let add = |a: i64| tokio::spawn(client.call("add", json!({"a": a, "b": 1})).header("n", a));

    let first = add(0);
    let call = calls.next().await.unwrap();
    let (reply_to, id) = (call.reply_to().unwrap(), call.correlation_id().unwrap());
    let told = reply_properties("result", id)
        .with_headers(table(&[("rpc-lane", AMQPValue::Boolean(true))]));
    peer.publish(reply_to, told, "1").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), json!(1));

    let alone = add(1);
    let call = calls.next().await.unwrap();
    let together: Vec<_> = (2..10).map(add).collect();
    let mut got = Vec::new();
    while got.len() < together.len() {
        let batch = batches.next().await.unwrap();
        let properties = &batch.0.properties;
        assert_eq!(batch.kind(), Some("batch"));
        assert_eq!(batch.correlation_id(), None);
        assert_eq!(batch.reply_to(), Some(reply_to));
        assert_eq!(batch.header("From"), Some(&long(reply_to)));
        assert_eq!(batch.header("rpc-method"), Some(&long("add")));
        let content_type = properties.content_type().as_ref().map(|text| text.as_str());
        assert_eq!(content_type, Some("application/vnd.rpc-batch"));
        let expiration: u64 = properties
            .expiration()
            .as_ref()
            .unwrap()
            .as_str()
            .parse()
            .unwrap();
        assert!((29_000..30_000).contains(&expiration), "{expiration}");
        got.extend(Record::read_all(&batch.0.data));
    }
    for (record, a) in got.iter().zip(2..) {
        let (timeout, deadline, headers) = record.call.as_ref().unwrap();
        assert_eq!(record.body, json!({"a": a, "b": 1}));
        assert_eq!(*headers, json!({ "n": a }));
        assert!((29_000..=30_000).contains(timeout), "{timeout}");
        assert!(*deadline > 1_700_000_000_000, "{deadline}");
    }
    // Answered together, in another order, and one of them with an error.
    let mut body = Vec::new();
    for (index, record) in got.iter().enumerate().rev() {
        let (kind, body_of) = match index {
            3 => (
                b'E',
                json!({"error": {"type": "Full", "message": "no", "args": []}}),
            ),
            _ => (b'R', json!(index)),
        };
        let reply = Record {
            kind,
            id: record.id.clone(),
            call: None,
            body: body_of,
        };
        reply.write(&mut body);
    }
    peer.publish(reply_to, lane_is(true).with_type("batch".into()), body)
        .await
        .unwrap();
    for (index, call) in together.into_iter().enumerate() {
        let end = call.await.unwrap();
        match index {
            3 => assert!(end.unwrap_err().to_string().contains("no")),
            _ => assert_eq!(end.unwrap(), json!(index)),
        }
    }
    let id = call.correlation_id().unwrap();
    peer.publish(reply_to, reply_properties("result", id), "2")
        .await
        .unwrap();
    assert_eq!(alone.await.unwrap().unwrap(), json!(2));

    drop(add(11));
    let call = calls.next().await.unwrap();
    assert_eq!(call.json().unwrap(), json!({"a": 11, "b": 1}));
}

/// BATCH-1, BATCH-7, BATCH-8, BATCH-10, BATCH-11
#[tokio::test]
async fn a_server_of_ours_takes_batches_and_says_so() {
    let site = Site::rabbitmq().await;
    let (server, peer, queue, mut replies) = server_and_caller(&site).await;
    // Only who knows of limits may know of batches.
    let properties = call_properties(&queue, "one");
    peer.publish("add", properties.clone(), r#"{"a": 1, "b": 2}"#)
        .await
        .unwrap();
    let reply = replies.next().await.unwrap();
    assert_eq!(reply.json().unwrap(), json!(3));
    assert_eq!(reply.header("rpc-lane"), None);
    let limit = ("rpc-timeout", AMQPValue::LongLongInt(5_000));
    let properties = properties.with_headers(table(&[limit]));
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        assert!(Instant::now() < end, "the lane does not open");
        peer.publish("add", properties.clone(), r#"{"a": 1, "b": 2}"#)
            .await
            .unwrap();
        let reply = replies.next().await.unwrap();
        if reply.header("rpc-lane").unwrap().as_bool().unwrap() {
            break;
        }
    }

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let deadline = u64::try_from(now.as_millis()).unwrap() + 5_000;
    let call = |id: &str, body: Value| Record {
        kind: b'C',
        id: id.to_owned(),
        call: Some((5_000, deadline, Value::Null)),
        body,
    };
    let mut body = Vec::new();
    call("a", json!({"a": 1, "b": 2})).write(&mut body);
    call("b", json!({"a": 1})).write(&mut body);
    call("c", json!({"a": 3, "b": 4})).write(&mut body);
    let properties = call_properties(&queue, "").with_type("batch".into());
    peer.publish(LANE, properties, body).await.unwrap();
    let mut ends = Vec::new();
    while ends.len() < 3 {
        let reply = replies.next().await.unwrap();
        if reply.kind() == Some("batch") {
            for Record { kind, id, body, .. } in Record::read_all(&reply.0.data) {
                ends.push((id, kind, body));
            }
        } else {
            let kind = reply.kind().unwrap().to_uppercase().as_bytes()[0];
            let id = reply.correlation_id().unwrap().to_owned();
            ends.push((id, kind, reply.json().unwrap()));
        }
    }
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(ends[0], ("a".into(), b'R', json!(3)));
    assert_eq!((&*ends[1].0, ends[1].1), ("b", b'E'));
    assert_eq!(ends[1].2["error"]["type"], json!("rpc.InvalidArguments"));
    assert_eq!(ends[2], ("c".into(), b'R', json!(7)));

    // What cannot be read harms nothing.
    for body in [&b""[..], b"C", b"R\x00\x00\x00\x00\x011", b"\xff\xff"] {
        let properties = call_properties(&queue, "").with_type("batch".into());
        peer.publish(LANE, properties, body).await.unwrap();
    }
    replies
        .nothing_for(Duration::from_millis(200))
        .await
        .unwrap();
    server.close().await;
    assert_eq!(peer.counts(LANE).await.unwrap(), (0, 0), "all is acked");
}

/// BATCH-2
#[tokio::test]
async fn a_server_with_slow_handlers_wants_no_batches() {
    let site = Site::rabbitmq().await;
    let (_server, peer, queue, mut replies) = server_and_caller(&site).await;
    let mut told = Vec::new();
    for _ in 0..30 {
        let properties = call_properties(&queue, "one");
        let headers = table(&[("rpc-timeout", AMQPValue::LongLongInt(5_000))]);
        peer.publish("nap", properties.with_headers(headers), r#"{"millis": 5}"#)
            .await
            .unwrap();
        let reply = replies.next().await.unwrap();
        told.push(
            reply
                .header("rpc-lane")
                .and_then(|lane| lane.as_bool())
                .unwrap(),
        );
    }
    assert!(told[15..].iter().all(|takes| !takes), "{told:?}");
}

/// BATCH-14
#[tokio::test]
async fn each_call_of_a_batch_that_bounces_has_bounced() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    for queue in ["add", LANE] {
        peer.method_queue(queue).await.unwrap();
    }
    let mut batches = peer.consume(LANE).await.unwrap();
    let client = Rpc::builder(site.url()).batching(Batching::always());
    let client = client.connect().await.unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.call("add", json!({"a": 1, "b": 1}))))
        .collect();
    let mut rejected = 0;
    while rejected < calls.len() {
        let batch = batches.next().await.unwrap();
        rejected += Record::read_all(&batch.0.data).len();
        batch.reject(false).await.unwrap();
    }
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, RpcError::Rejected { .. }), "{error:?}");
    }
    assert_eq!(client.in_flight(), 0);
}

#[tokio::test]
async fn without_batching_there_is_no_lane() {
    let site = Site::rabbitmq().await;
    let builder = Rpc::builder(site.url()).batching(Batching::off());
    let rpc = builder.connect().await.unwrap();
    serve(&rpc, crate::probe::Real).await;
    rpc.call("add", json!({"a": 1, "b": 2})).await.unwrap();
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.counts("add").await.unwrap();
    let error = peer.counts(LANE).await.unwrap_err();
    assert!(format!("{error:?}").contains("NOT_FOUND"), "{error:?}");
}
