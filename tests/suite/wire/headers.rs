//! Headers of calls: what each type becomes, and how those of the protocol are read.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, DecimalValue, FieldArray};
use rpc_core::Rpc;
use rpc_tests::{RawConsumer, RawPeer, call_properties, long, table};
use serde_json::{Value, json};

use crate::site::Site;

/// A server of ours, and a caller driven by hand.
struct Caller {
    peer: RawPeer,
    queue: String,
    replies: RawConsumer,
    _server: Rpc,
    _site: Site,
}

impl Caller {
    async fn new() -> Self {
        let site = Site::rabbitmq().await;
        let (client, server) = site.client_and_server().await;
        client.close().await;
        let peer = RawPeer::connect(site.url()).await.unwrap();
        let queue = peer.reply_queue().await.unwrap();
        let replies = peer.consume_no_ack(&queue).await.unwrap();
        Self {
            peer,
            queue,
            replies,
            _server: server,
            _site: site,
        }
    }

    fn with(&self, headers: &[(&str, AMQPValue)]) -> BasicProperties {
        call_properties(&self.queue, "id").with_headers(table(headers))
    }

    async fn call(&mut self, method: &str, properties: BasicProperties, body: Value) -> Value {
        let published = self.peer.publish(method, properties, body.to_string());
        published.await.unwrap();
        self.replies.next().await.unwrap().json().unwrap()
    }
}

/// HEAD-5
#[tokio::test]
async fn values_of_every_type_are_json_for_the_handler() {
    let mut caller = Caller::new().await;
    let array = FieldArray::from(vec![AMQPValue::Void, AMQPValue::Boolean(true)]);
    let inner = table(&[("x", AMQPValue::ShortShortInt(-1))]);
    let values = [
        ("void", AMQPValue::Void, json!(null)),
        ("boolean", AMQPValue::Boolean(true), json!(true)),
        ("short-short", AMQPValue::ShortShortInt(-8), json!(-8)),
        ("short", AMQPValue::ShortInt(-300), json!(-300)),
        ("long", AMQPValue::LongInt(-70_000), json!(-70_000)),
        (
            "long-long",
            AMQPValue::LongLongInt(i64::MIN),
            json!(i64::MIN),
        ),
        (
            "timestamp",
            AMQPValue::Timestamp(1_700_000_000),
            json!(1_700_000_000),
        ),
        ("float", AMQPValue::Float(0.5), json!(0.5)),
        ("double", AMQPValue::Double(-2.5), json!(-2.5)),
        (
            "decimal",
            AMQPValue::DecimalValue(DecimalValue {
                scale: 1,
                value: 25,
            }),
            json!(2.5),
        ),
        ("string", long("text"), json!("text")),
        (
            "bytes",
            AMQPValue::ByteArray(vec![1, 255].into()),
            json!([1, 255]),
        ),
        ("array", AMQPValue::FieldArray(array), json!([null, true])),
        ("table", AMQPValue::FieldTable(inner), json!({"x": -1})),
    ];
    let headers: Vec<_> = (values.iter())
        .map(|(name, value, _)| (*name, value.clone()))
        .collect();
    let context = caller
        .call("context", caller.with(&headers), json!({}))
        .await;
    for (name, _, expected) in values {
        assert_eq!(context["headers"][name], expected, "{name}");
    }
}

/// HEAD-5
#[tokio::test]
async fn values_of_every_json_type_have_one_type_on_the_wire() {
    let site = Site::rabbitmq().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    peer.method_queue("add").await.unwrap();
    let mut calls = peer.consume("add").await.unwrap();
    let client = site.rpc().await;
    let call = client
        .call("add", ())
        .header("null", json!(null))
        .header("boolean", true)
        .header("integer", i64::MAX)
        .header("large", u64::MAX)
        .header("fraction", 0.5)
        .header("string", "text")
        .header("array", json!([1]))
        .header("object", json!({"x": "y"}));
    let call = tokio::spawn(call);
    let taken = calls.next().await.unwrap();
    let array = FieldArray::from(vec![AMQPValue::LongLongInt(1)]);
    for (name, expected) in [
        ("null", AMQPValue::Void),
        ("boolean", AMQPValue::Boolean(true)),
        ("integer", AMQPValue::LongLongInt(i64::MAX)),
        ("large", AMQPValue::Double(18_446_744_073_709_551_615.0)),
        ("fraction", AMQPValue::Double(0.5)),
        ("string", long("text")),
        ("array", AMQPValue::FieldArray(array)),
        ("object", AMQPValue::FieldTable(table(&[("x", long("y"))]))),
    ] {
        assert_eq!(taken.header(name), Some(&expected), "{name}");
    }
    call.abort();
}

/// HEAD-3, TIME-3
#[tokio::test]
async fn a_time_limit_is_read_from_any_integer_and_nothing_else() {
    let mut caller = Caller::new().await;
    for limit in [
        AMQPValue::ShortShortInt(100),
        AMQPValue::ShortInt(100),
        AMQPValue::LongInt(100),
        AMQPValue::LongLongInt(100),
        AMQPValue::ShortUInt(100),
        AMQPValue::LongUInt(100),
    ] {
        let properties = caller.with(&[("rpc-timeout", limit.clone())]);
        let answer = caller
            .call("nap", properties, json!({"millis": 60_000}))
            .await;
        assert_eq!(answer["error"]["type"], "rpc.DeadlineExceeded", "{limit:?}");
    }
    for limit in [
        long("100"),
        AMQPValue::Double(100.0),
        AMQPValue::LongLongInt(-100),
    ] {
        let properties = caller.with(&[("rpc-timeout", limit.clone())]);
        let answer = caller.call("nap", properties, json!({"millis": 300})).await;
        assert_eq!(answer, 300, "{limit:?}");
    }
}

/// TIME-3, TIME-6, PIKA-3
#[tokio::test]
async fn an_expiration_limits_the_handler_where_nothing_else_does() {
    let mut caller = Caller::new().await;
    let properties = caller.with(&[]).with_expiration("200".into());
    let answer = caller
        .call("nap", properties.clone(), json!({"millis": 60_000}))
        .await;
    assert_eq!(answer["error"]["type"], "rpc.DeadlineExceeded");
    let limit = AMQPValue::LongLongInt(20_000);
    let both = caller
        .with(&[("rpc-timeout", limit)])
        .with_expiration("200".into());
    let answer = caller.call("nap", both, json!({"millis": 500})).await;
    assert_eq!(answer, 500);
    // From its start on, whatever passed in the queue.
    let context = caller.call("context", properties, json!({})).await;
    let left = context["left"].as_u64().unwrap();
    assert!((1..=200).contains(&left), "{left}");
}

/// HEAD-4
#[tokio::test]
async fn what_a_flag_holds_does_not_matter() {
    for flag in [AMQPValue::Boolean(false), AMQPValue::Void, long("no")] {
        let mut caller = Caller::new().await;
        let late = [
            ("rpc-timeout", AMQPValue::LongLongInt(1_000)),
            ("rpc-deadline", AMQPValue::LongLongInt(1_000)),
        ];
        let answer = caller
            .call("add", caller.with(&late), json!({"a": 1, "b": 2}))
            .await;
        assert_eq!(answer["error"]["type"], "rpc.Expired");
        let believed = [&late[..], &[("rpc-in-time", flag.clone())]].concat();
        let answer = caller
            .call("add", caller.with(&believed), json!({"a": 1, "b": 2}))
            .await;
        assert_eq!(answer, 3, "{flag:?}");
    }
}

/// HEAD-2
#[tokio::test]
async fn unknown_headers_reach_the_handler_and_change_nothing() {
    let mut caller = Caller::new().await;
    let unknown = [
        ("tenant", long("acme")),
        ("rpc-unheard-of", AMQPValue::Boolean(true)),
    ];
    let context = caller
        .call("context", caller.with(&unknown), json!({}))
        .await;
    assert_eq!(context["headers"]["tenant"], "acme");
    let time = Duration::from_millis(50);
    caller.replies.nothing_for(time).await.unwrap();
}
