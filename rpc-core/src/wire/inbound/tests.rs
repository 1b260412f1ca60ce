use serde_json::json;

use super::*;
use crate::wire::headers::Marks;
use crate::wire::strategies::message_with;

fn headers(value: serde_json::Value) -> Headers {
    serde_json::from_value(value).unwrap()
}

#[test]
fn headers_with_a_meaning_are_typed_and_reach_no_user() {
    let message = message_with(&headers(json!({
        "From": "rpc.reply.1",
        "rpc-timeout": 500,
        "rpc-deadline": 1_000_500,
        "rpc-lane": true,
        "rpc-idempotent": true,
        "rpc-in-time": true,
        "rpc-attempts": 2,
        "rpc-method": "pay",
        "tenant": "acme",
    })));
    let mut expected = Message {
        from: Some("rpc.reply.1".into()),
        limit: Some(TimeLimit {
            timeout: 500,
            deadline: Some(1_000_500),
        }),
        takes_batches: Some(true),
        marks: Marks {
            idempotent: true,
            in_time: true,
            attempts: Some(2),
        },
        headers: HeaderTable::encode(&headers(json!({"tenant": "acme"}))),
        ..Message::default()
    };
    expected.extras.method = Some("pay".into());
    assert_eq!(message, expected);
}

#[test]
fn what_the_broker_or_a_stranger_wrote_in_reserved_names_is_kept_out_of_sight() {
    let strange = headers(json!({
        "From": ["a", "list"],
        "FROM": "somebody",
        "CC": ["pay"],
        "rpc-timeout": "soon",
        "rpc-deadline": 7,
        "rpc-lane": 1,
        "rpc-idempotent": {"a": "table"},
        "rpc-attempts": -1,
        "rpc-what": true,
        "RPC-Timeout": 1,
        "x-death": [{"count": 1}],
        "X-Death": "no",
        "x-delivery-count": 3,
        "x-first-death-reason": "maxlen",
    }));
    let message = message_with(&strange);
    assert!(message.headers.is_empty(), "{message:?}");
    assert_eq!(message.extras.reserved.decode(), strange);
    assert_eq!((message.from.clone(), message.limit), (None, None));
    assert_eq!((message.delivery_count(), message.takes_batches), (3, None));
    assert!(message.marks.idempotent);
    assert_eq!(message.marks.attempts, Some(0));
}

#[test]
fn a_record_of_a_batch_says_nothing_of_the_batch() {
    let mut call = Message::default();
    let record = headers(json!({
        "From": "rpc.reply.of-another",
        "rpc-timeout": 1,
        "rpc-lane": true,
        "rpc-method": "other",
        "x-death": [],
        "x-delivery-count": 9,
        "rpc-attempts": 1,
        "tenant": "acme",
    }));
    read_record_headers(&mut call, &record).unwrap();
    let expected = Message {
        marks: Marks {
            attempts: Some(1),
            ..Marks::default()
        },
        headers: HeaderTable::encode(&headers(json!({"tenant": "acme"}))),
        ..Message::default()
    };
    assert_eq!(call, expected);
}

#[test]
fn replies_go_to_no_pseudo_queue_but_well_formed_direct_ones() {
    let read_reply_to = |address: &str| {
        let size = u8::try_from(address.len()).unwrap();
        read(&[&(1_u16 << 9).to_be_bytes()[..], &[size], address.as_bytes()].concat())
    };
    let direct = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAxMjM0NQAAAA==.a2V5MTIzNDU2Nzg5MA==";
    for address in [
        direct,
        "rpc.reply.1",
        "amq.gen-JzTY20BRgKO",
        "AMQ.rabbitmq.reply-to.x",
    ] {
        let message = read_reply_to(address);
        assert_eq!(message.reply_to.as_deref(), Some(address));
    }
    assert_eq!(read_reply_to(""), Message::default());
    for address in [
        "amq.rabbitmq.",
        "amq.rabbitmq.trace",
        "amq.rabbitmq.reply-to",
        "amq.rabbitmq.reply-to.",
        "amq.rabbitmq.reply-to.x",
        "amq.rabbitmq.reply-to..y",
        "amq.rabbitmq.reply-to.x.",
        "amq.rabbitmq.reply-to.x.y.z",
        "amq.rabbitmq.reply-to.\0.\0",
    ] {
        let unreadable = read_reply_to(address).extras.unreadable.clone().unwrap();
        assert_eq!(unreadable.flaw, Flaw::ReplyTo, "{address}");
    }
}

#[test]
fn too_many_headers_are_refused() {
    let many = |count| json!({"a": vec![1; count]});
    assert!(
        message_with(&headers(many(4095)))
            .extras
            .unreadable
            .is_none()
    );
    let refused = message_with(&headers(many(4096)));
    assert_eq!(
        refused.extras.unreadable.as_ref().unwrap().flaw,
        Flaw::Values
    );
}

#[test]
fn only_what_a_broker_wrote_of_deaths_can_be_rejected() {
    let death = json!({
        "count": 1, "reason": "expired", "queue": "pay", "time": 5, "exchange": "",
        "routing-keys": ["pay"],
    });
    let can = |deaths| message_with(&headers(json!({"x-death": deaths}))).can_be_rejected();
    assert!(message_with(&Headers::new()).can_be_rejected());
    assert!(can(json!([])) && can(json!([death, death])));
    for odd in [
        json!("text"),
        json!([null]),
        json!({}),
        json!([{}]),
        json!([death, 1]),
    ] {
        assert!(!can(odd.clone()), "{odd}");
    }
    assert!(!can(json!(vec![1; 5_000])), "unreadable, and with deaths");
    let many = message_with(&headers(json!({"many": vec![1; 5_000]})));
    assert!(many.can_be_rejected());
}
