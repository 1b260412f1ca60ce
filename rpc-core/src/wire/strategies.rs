//! Strategies for property tests.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::wire::extras::Extras;
use crate::wire::header_table::HeaderTable;
use crate::wire::headers::{Headers, Marks, is_reserved};
use crate::wire::inbound;
use crate::wire::message::{JSON, Kind, Message, TimeLimit};

/// The message that a peer has sent with these headers.
pub(crate) fn message_with(headers: &Headers) -> Message {
    let table = HeaderTable::encode(headers);
    let size = u32::try_from(table.as_bytes().len()).unwrap().to_be_bytes();
    inbound::read(&[&(1_u16 << 13).to_be_bytes()[..], &size, table.as_bytes()].concat())
}

/// Any JSON value that is small enough to be tried often.
pub(crate) fn json() -> BoxedStrategy<Value> {
    tree(prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from)
    ])
}

/// The same, but only with numbers that AMQP has.
fn amqp() -> BoxedStrategy<Value> {
    tree(any::<i64>().prop_map(Value::from))
}

fn tree(integer: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let finite =
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        integer,
        finite.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let deeper = |inner: BoxedStrategy<Value>| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(short(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    };
    let leaf = leaf.boxed();
    prop_oneof![leaf.clone(), leaf.prop_recursive(4, 16, 4, deeper)].boxed()
}

/// Any AMQP short string. Most of them are far shorter than the limit.
pub(crate) fn short() -> BoxedStrategy<String> {
    prop_oneof![9 => "\\PC{0,20}", 1 => "[\\x00-\\x7f]{255}"].boxed()
}

/// Any number, often one whose sums and differences overflow.
pub(crate) fn number() -> BoxedStrategy<u64> {
    let edges = [
        0,
        1,
        1 << 31,
        1 << 63,
        (1 << 63) - 1,
        u64::MAX - 1,
        u64::MAX,
    ];
    prop_oneof![
        any::<u64>(),
        0..2000_u64,
        prop::sample::select(edges.to_vec())
    ]
    .boxed()
}

/// Any message that can be sent. Its integers, including those of its time limit, are AMQP's.
pub(crate) fn message() -> BoxedStrategy<Message> {
    let signed = || number().prop_map(|number| number >> 1);
    let kind = prop_oneof![
        4 => prop::sample::select(vec![Kind::Call, Kind::Result, Kind::Error, Kind::Batch,Kind::Unreadable, Kind::Absent]),
        1 => short().prop_map(|name| Kind::parse(Some(&name))),
    ];
    let ids = (
        option(short()),
        option(short()),
        option(short()),
        option(short()),
        option(short()),
    );
    let limit = option((signed(), option(signed())));
    let rest = (
        any::<Option<u8>>(),
        any::<bool>(),
        // The longest expiration of RabbitMQ.
        option(0..=u64::from(u32::MAX)),
        any::<Option<bool>>(),
    );
    (
        kind,
        ids,
        limit,
        rest,
        (
            marks(),
            headers(),
            reserved(),
            option(others()),
            option(short()),
        ),
        prop::collection::vec(any::<u8>(), 0..100),
    )
        .prop_map(|(kind, ids, limit, rest, headers, body)| {
            let (marks, headers, reserved, others, method) = headers;
            let (correlation_id, reply_to, from, content_type, user_id) = ids;
            let reply_to =
                reply_to.filter(|name: &String| !name.is_empty() && !name.starts_with("amq."));
            let (priority, persistent, expiration, takes_batches) = rest;
            let mut message = Message {
                kind,
                correlation_id: correlation_id.map(|id| id.as_str().into()),
                reply_to: reply_to.map(Into::into),
                from: from.map(Into::into),
                limit: limit.map(|(timeout, deadline)| TimeLimit { timeout, deadline }),
                content_type: content_type.map(Into::into),
                priority,
                persistent,
                expiration: expiration.map(Duration::from_millis),
                user_id: user_id.map(Into::into),
                takes_batches,
                marks,
                headers,
                body: body.into(),
                extras: others.unwrap_or_default(),
            };
            if let Some(method) = method {
                message.extras.method = Some(method.into());
            }
            if !reserved.is_empty() {
                message.extras.reserved = reserved;
            }
            message
        })
        .boxed()
}

/// A call or a reply that can travel in a batch.
pub(crate) fn batched() -> BoxedStrategy<Message> {
    let body = prop_oneof![
        9 => prop::collection::vec(any::<u8>(), 0..100),
        // The length of this one takes more than two bytes.
        1 => Just(vec![b' '; 70_000]),
    ];
    let call = (
        short(),
        marks(),
        headers(),
        number(),
        number(),
        body.clone(),
    );
    let call = call.prop_map(|(id, marks, headers, timeout, deadline, body)| Message {
        kind: Kind::Call,
        correlation_id: Some(id.as_str().into()),
        content_type: Some(JSON.into()),
        expiration: Some(Duration::from_millis(timeout)),
        limit: Some(TimeLimit {
            timeout,
            deadline: Some(deadline),
        }),
        marks,
        headers,
        body: body.into(),
        ..Message::default()
    });
    let reply = (
        prop::sample::select(vec![Kind::Result, Kind::Error]),
        short(),
        body,
    );
    let reply = reply.prop_map(|(kind, id, body)| Message {
        kind,
        correlation_id: Some(id.as_str().into()),
        content_type: Some(JSON.into()),
        body: body.into(),
        ..Message::default()
    });
    prop_oneof![call, reply].boxed()
}

fn marks() -> BoxedStrategy<Marks> {
    let attempts = option(number().prop_map(|number| number >> 1));
    (any::<bool>(), any::<bool>(), attempts)
        .prop_map(|(idempotent, in_time, attempts)| Marks {
            idempotent,
            in_time,
            attempts,
        })
        .boxed()
}

/// A user's headers.
fn headers() -> BoxedStrategy<HeaderTable> {
    let name = short().prop_filter("a user's", |name| !is_reserved(name));
    prop::collection::btree_map(name, amqp(), 0..3)
        .prop_map(|headers| HeaderTable::encode(&headers))
        .boxed()
}

/// Headers of the broker, and of the protocol's names with values that it does not have.
fn reserved() -> BoxedStrategy<HeaderTable> {
    let names = [
        "CC",
        "x-death",
        "x-delivery-count",
        "x-first-death-reason",
        "rpc-new",
        "FROM",
    ];
    let value = prop::collection::vec(amqp(), 0..3).prop_map(Value::from);
    let headers = prop::collection::btree_map(prop::sample::select(names.to_vec()), value, 0..3);
    (any::<bool>(), headers)
        .prop_map(|(none, headers)| {
            let headers = headers.into_iter().filter(|_| !none);
            let headers: Headers = headers
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            HeaderTable::encode(&headers)
        })
        .boxed()
}

/// Properties without a meaning.
fn others() -> BoxedStrategy<Extras> {
    let text = || option(short().prop_map(Into::into));
    (text(), text(), option(any::<u64>()), text(), text())
        .prop_map(
            |(content_encoding, message_id, timestamp, app_id, cluster_id)| {
                let mut extras = Extras::default();
                extras.content_encoding = content_encoding;
                extras.message_id = message_id;
                extras.timestamp = timestamp;
                extras.app_id = app_id;
                extras.cluster_id = cluster_id;
                extras
            },
        )
        .boxed()
}

fn option<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    prop::option::of(strategy).boxed()
}
