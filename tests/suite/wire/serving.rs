//! What a server of ours answers to anything.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use rpc_core::Rpc;
use rpc_tests::{RawConsumer, RawPeer, call_properties, shared_node, table};
use serde_json::{Value, json};

use crate::site::{Site, eventually};

/// A hand-driven caller of a server of ours.
struct Caller {
    peer: RawPeer,
    queue: String,
    replies: RawConsumer,
    site: Site,
    _server: Rpc,
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
            site,
            _server: server,
        }
    }

    async fn answer(
        &mut self,
        properties: BasicProperties,
        body: &[u8],
    ) -> (Option<String>, Value) {
        self.peer.publish("add", properties, body).await.unwrap();
        let reply = self.replies.next().await.unwrap();
        (reply.kind().map(str::to_owned), reply.json().unwrap())
    }

    /// Nothing is left in the queue, neither waiting nor with the server: what it took, it acked.
    async fn all_is_settled(&mut self) {
        let good = self
            .answer(
                call_properties(&self.queue.clone(), "last"),
                br#"{"a":1,"b":2}"#,
            )
            .await;
        assert_eq!(good, (Some("result".into()), json!(3)));
        self.holds(&[("add", 0)]).await;
    }

    /// So many are left in each of these queues in the end, waiting or with the server.
    async fn holds(&self, queues: &[(&str, usize)]) {
        let site = &self.site;
        let node = shared_node().await.node();
        eventually("all that is answered is acked", || async {
            match node {
                Some(node) => {
                    let vhost = site.vhost_name();
                    let args = [
                        "list_queues",
                        "-p",
                        vhost,
                        "--no-table-headers",
                        "-q",
                        "name",
                        "messages",
                    ];
                    let listed = node.ctl(&args).await.unwrap();
                    queues.iter().all(|(queue, count)| {
                        let count = count.to_string();
                        let mut lines = listed.lines();
                        lines.any(|line| line.split_whitespace().eq([queue, &*count]))
                    })
                }
                // What a server has is not to be seen from outside.
                None => site.depth(queues[0].0).await == 0,
            }
        })
        .await;
    }

    /// Makes calls of `add` at once, of which half want an answer and get it, and nothing else is answered.
    async fn add_often(&mut self, calls: usize) {
        let properties = call_properties(&self.queue, "add");
        for _ in 0..calls {
            // Every other one with nobody who waits for its answer.
            for properties in [properties.clone(), BasicProperties::default()] {
                let body = br#"{"a":1,"b":2}"#;
                self.peer.publish("add", properties, body).await.unwrap();
            }
        }
        for _ in 0..calls {
            let reply = self.replies.next().await.unwrap();
            assert_eq!(
                (reply.kind(), reply.correlation_id()),
                (Some("result"), Some("add"))
            );
        }
    }
}

/// REPLY-1, REPLY-3, BODY-3, SERVE-6
#[tokio::test]
async fn a_reply_is_what_aio_pika_expects() {
    let mut caller = Caller::new().await;
    let properties = call_properties(&caller.queue, "any id");
    caller
        .peer
        .publish("add", properties, br#"{"a": 1, "b": 2}"#)
        .await
        .unwrap();
    let reply = caller.replies.next().await.unwrap();
    let properties = &reply.0.properties;
    assert_eq!(reply.kind(), Some("result"));
    assert_eq!(reply.correlation_id(), Some("any id"));
    assert_eq!(reply.reply_to(), None);
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(*properties.delivery_mode(), Some(1));
    assert_eq!(reply.0.data, b"3");
    let persistent = call_properties(&caller.queue, "any id").with_delivery_mode(2);
    caller
        .peer
        .publish("add", persistent, br#"{"a": 1, "b": 2}"#)
        .await
        .unwrap();
    let reply = caller.replies.next().await.unwrap();
    assert_eq!(*reply.0.properties.delivery_mode(), Some(2), "the call's");
}

/// Those that are answered are acked several at once.
/// SERVE-7, SERVE-8
#[tokio::test]
async fn what_is_answered_is_acked_and_what_runs_is_not() {
    let mut caller = Caller::new().await;
    let properties = call_properties(&caller.queue, "nap");
    let nap = br#"{"millis":10000}"#;
    caller.peer.publish("nap", properties, nap).await.unwrap();
    caller.add_often(300).await;
    caller.holds(&[("add", 0), ("nap", 1)]).await;
    let reply = caller.replies.next().await.unwrap();
    assert_eq!(
        (reply.kind(), reply.correlation_id()),
        (Some("result"), Some("nap"))
    );
    caller.add_often(300).await;
    caller.holds(&[("add", 0), ("nap", 0)]).await;
    // An ack of what is acked already would have closed the channel, and all that it had would come again.
    let time = Duration::from_millis(50);
    caller.replies.nothing_for(time).await.unwrap();
}

/// KIND-1, KIND-3, ERR-1, BODY-1, BODY-4, SERVE-4, SERVE-9
#[tokio::test]
async fn bad_bodies_get_an_error_reply_and_the_server_goes_on() {
    let mut caller = Caller::new().await;
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_extra = format!(
        "{{\"a\":1,\"b\":2,\"c\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (body, kind, words) in [
        (&b"{\"a\":"[..], "rpc.Malformed", "JSON"),
        (b"", "rpc.Malformed", "JSON"),
        (b"nonsense", "rpc.Malformed", "JSON"),
        (b"{\"a\":NaN,\"b\":1}", "rpc.Malformed", "JSON"),
        (
            b"{\"a\xff\":1}",
            "rpc.Malformed",
            "it is not UTF-8 from byte 3 on",
        ),
        (b"\xff\xfe{\0", "rpc.Malformed", "it looks like UTF-16"),
        (
            b"\xef\xbb\xbf{}",
            "rpc.Malformed",
            "it starts with a byte order mark",
        ),
        (
            b"{\"a\":1e400,\"b\":1}",
            "rpc.Malformed",
            "the argument `a` is JSON that cannot be read: a number out of range",
        ),
        (
            b"{\"a\":1,\"b\":NaN}",
            "rpc.Malformed",
            "NaN and Infinity are no JSON",
        ),
        (b"[1,2]", "rpc.InvalidArguments", "an array"),
        (b"null", "rpc.InvalidArguments", "null"),
        (b"3", "rpc.InvalidArguments", "a number"),
        (
            b"{\"a\":1}",
            "rpc.InvalidArguments",
            "the argument `b` is missing",
        ),
        (
            b"{\"a\":1,\"a\":2,\"b\":3}",
            "rpc.InvalidArguments",
            "the argument `a` is given twice",
        ),
        (
            b"{\"a\":1,\"b\":2,\"c\":3}",
            "rpc.InvalidArguments",
            "unknown argument `c`",
        ),
        (
            b"{\"a\":1,\"b\":\"x\"}",
            "rpc.InvalidArguments",
            "expected i64",
        ),
        (deep.as_bytes(), "rpc.InvalidArguments", "expected i64"),
        (
            deep_extra.as_bytes(),
            "rpc.InvalidArguments",
            "unknown argument `c`",
        ),
    ] {
        let properties = call_properties(&caller.queue, "id");
        let (reply, body) = caller.answer(properties, body).await;
        assert_eq!(reply.as_deref(), Some("error"));
        let error = &body["error"];
        assert_eq!(error["type"], kind, "{error}");
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{error}"
        );
        assert_eq!(error["args"], json!([error["message"]]));
    }
    caller.all_is_settled().await;
}

/// BODY-1, KIND-1
#[tokio::test]
async fn what_the_properties_say_of_a_bad_body_is_in_the_error() {
    let mut caller = Caller::new().await;
    let properties = call_properties(&caller.queue, "id");
    let gzip = properties.clone().with_content_encoding("gzip".into());
    let pickle = properties.with_content_type("application/python-pickle".into());
    for (properties, body, words) in [
        (
            &gzip,
            &b"\x1f\x8b\x08\0"[..],
            "it looks like gzip (content_encoding: gzip)",
        ),
        (
            &pickle,
            b"\x80\x04}\x94.",
            "it looks like a pickle of Python (content_type: application/python-pickle)",
        ),
    ] {
        let (_, reply) = caller.answer(properties.clone(), body).await;
        let message = format!("the body of the call is not JSON in UTF-8: {words}");
        let expected = json!({"type": "rpc.Malformed", "message": message, "args": [message]});
        assert_eq!(reply, json!({ "error": expected }));
        // Whatever they say, JSON is read.
        let sum = caller
            .answer(properties.clone(), br#"{"a": 1, "b": 2}"#)
            .await;
        assert_eq!(sum, (Some("result".into()), json!(3)));
    }
}

/// The bytes that aio-pika's users have always got.
/// ERR-1
#[tokio::test]
async fn an_error_reply_is_these_bytes() {
    let mut caller = Caller::new().await;
    for (method, body, expected) in [
        (
            "pay",
            r#"{"amount": 101}"#,
            r#"{"error":{"args":["101 needed, 100 available"],"data":{"InsufficientFunds":{"needed":101,"available":100}},"message":"101 needed, 100 available","type":"PayError"}}"#,
        ),
        (
            "pay",
            r#"{"amount": 0}"#,
            r#"{"error":{"args":["closed"],"data":"Closed","message":"closed","type":"PayError"}}"#,
        ),
        (
            "add",
            r#"{"a": 1}"#,
            r#"{"error":{"args":["the argument `b` is missing"],"message":"the argument `b` is missing","type":"rpc.InvalidArguments"}}"#,
        ),
    ] {
        let properties = call_properties(&caller.queue, "id");
        caller.peer.publish(method, properties, body).await.unwrap();
        let reply = caller.replies.next().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&reply.0.data), expected);
    }
}

/// BODY-7, KIND-1
#[tokio::test]
async fn deep_nesting_into_an_untyped_handler_is_an_error_reply() {
    let mut caller = Caller::new().await;
    let deep = format!(
        "{{\"value\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    caller
        .peer
        .publish("echo", call_properties(&caller.queue, "id"), deep)
        .await
        .unwrap();
    let reply = caller.replies.next().await.unwrap();
    assert_eq!(reply.kind(), Some("error"));
    assert_eq!(reply.json().unwrap()["error"]["type"], "rpc.Malformed");
    caller.all_is_settled().await;
}

/// CALL-2, CALL-3, REPLY-3, REPLY-6, BODY-1, SERVE-1, SERVE-8
#[tokio::test]
async fn foreign_callers_may_send_bare_messages() {
    let mut caller = Caller::new().await;
    let body = br#"{"a": 1, "b": 2}"#;
    let only_reply_to = BasicProperties::default().with_reply_to(caller.queue.as_str().into());
    for properties in [
        only_reply_to.clone(),
        only_reply_to.clone().with_type("weird".into()),
        only_reply_to.clone().with_content_type("text/plain".into()),
        only_reply_to
            .clone()
            .with_correlation_id("x".repeat(255).into()),
        only_reply_to.with_expiration("5000".into()),
    ] {
        let answer = caller.answer(properties, body).await;
        assert_eq!(answer, (Some("result".into()), json!(3)));
    }
    // Nobody to answer: it runs, and is acked.
    caller
        .peer
        .publish("add", BasicProperties::default(), body)
        .await
        .unwrap();
    let gone = BasicProperties::default().with_reply_to("gone".into());
    caller.peer.publish("add", gone, body).await.unwrap();
    caller.all_is_settled().await;
}

/// TIME-4, TIME-7, TIME-9, KIND-5, SERVE-3
#[tokio::test]
async fn a_call_that_seems_late_is_refused_until_its_caller_says_that_it_is_not() {
    for deadline in [1_000, i64::MAX / 2] {
        let mut caller = Caller::new().await;
        let properties = |in_time: bool| {
            let mut headers = table(&[
                ("rpc-timeout", AMQPValue::LongLongInt(1_000)),
                ("rpc-deadline", AMQPValue::LongLongInt(deadline)),
            ]);
            if in_time {
                headers.insert("rpc-in-time".into(), AMQPValue::Boolean(true));
            }
            call_properties(&caller.queue, "id").with_headers(headers)
        };
        let (plain, in_time) = (properties(false), properties(true));
        let body = br#"{"a": 1, "b": 2}"#;
        for _ in 0..2 {
            let (kind, error) = caller.answer(plain.clone(), body).await;
            assert_eq!(kind.as_deref(), Some("error"));
            assert_eq!(error["error"]["type"], "rpc.Expired", "{error}");
        }
        let sum = (Some("result".into()), json!(3));
        assert_eq!(caller.answer(in_time, body).await, sum);
        // Now it is known.
        assert_eq!(caller.answer(plain, body).await, sum);
        caller.all_is_settled().await;
    }
}

/// REPLY-5
#[tokio::test]
async fn direct_reply_to_callers_are_answered() {
    let site = Site::rabbitmq().await;
    let (_client, _server) = site.client_and_server().await;
    let peer = RawPeer::connect(site.url()).await.unwrap();
    let mut replies = peer.consume_no_ack("amq.rabbitmq.reply-to").await.unwrap();
    let properties = BasicProperties::default()
        .with_reply_to("amq.rabbitmq.reply-to".into())
        .with_correlation_id("direct".into());
    peer.publish("add", properties, br#"{"a": 1, "b": 2}"#)
        .await
        .unwrap();
    let reply = replies.next().await.unwrap();
    assert_eq!(
        (reply.correlation_id(), reply.json().unwrap()),
        (Some("direct"), json!(3))
    );
}
