use std::collections::VecDeque;
use std::task::Waker;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic, channel};
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};
use proptest::collection::vec;
use proptest::prelude::*;

use super::layout::HEARTBEAT;
use super::proof::{
    CHANNEL, CONSUMER, How, KeepingEdge, Kept, LIMIT, content_header, encode, sift,
    whatever_comes_can_be_read,
};
use super::*;
use crate::wire::extras::Unreadable;
use crate::wire::flaw::Flaw;
use crate::wire::message::Kind;
use crate::wire::size_limit::{SizeLimit, TooLarge};

fn method(channel: u16, method: basic::AMQPMethod) -> Vec<u8> {
    encode(&AMQPFrame::Method(channel, AMQPClass::Basic(method)))
}

fn deliver(channel: u16, consumer: &str) -> Vec<u8> {
    let deliver = basic::Deliver {
        consumer_tag: consumer.into(),
        delivery_tag: 9,
        redelivered: true,
        exchange: "exchange".into(),
        routing_key: "key".into(),
    };
    method(channel, basic::AMQPMethod::Deliver(deliver))
}

fn returned() -> Vec<u8> {
    let returned = basic::Return {
        reply_code: 312,
        reply_text: "NO_ROUTE".into(),
        exchange: "".into(),
        routing_key: "nobody".into(),
    };
    method(CHANNEL, basic::AMQPMethod::Return(returned))
}

fn body(text: &[u8]) -> Vec<u8> {
    encode(&AMQPFrame::Body(CHANNEL, text.to_vec()))
}

fn header(body_size: u64, properties: BasicProperties) -> Vec<u8> {
    let header = AMQPContentHeader {
        class_id: 60,
        body_size,
        properties,
    };
    encode(&AMQPFrame::Header(CHANNEL, header))
}

/// Every property, and every type of header that lapin knows.
fn properties() -> BasicProperties {
    let values = [
        AMQPValue::Boolean(true),
        AMQPValue::ShortShortInt(-1),
        AMQPValue::ShortShortUInt(1),
        AMQPValue::ShortInt(-2),
        AMQPValue::ShortUInt(2),
        AMQPValue::LongInt(-3),
        AMQPValue::LongUInt(3),
        AMQPValue::LongLongInt(4),
        AMQPValue::Float(1.5),
        AMQPValue::Double(2.5),
        AMQPValue::DecimalValue(amq_protocol::types::DecimalValue { scale: 1, value: 7 }),
        AMQPValue::LongString("\u{fc}".into()),
        AMQPValue::Timestamp(5),
        AMQPValue::ByteArray(vec![0xFF].into()),
        AMQPValue::Void,
    ];
    let array = AMQPValue::FieldArray(FieldArray::from(values.to_vec()));
    let mut inner = FieldTable::default();
    inner.insert("all".into(), array.clone());
    inner.insert("none".into(), AMQPValue::FieldTable(FieldTable::default()));
    let mut headers = FieldTable::default();
    headers.insert("\u{fc}".into(), AMQPValue::FieldTable(inner));
    headers.insert("array".into(), array);
    BasicProperties::default()
        .with_content_type("a/b".into())
        .with_content_encoding("c".into())
        .with_headers(headers)
        .with_delivery_mode(1)
        .with_priority(2)
        .with_correlation_id("id".into())
        .with_reply_to("queue".into())
        .with_expiration("1".into())
        .with_message_id("m".into())
        .with_timestamp(3)
        .with_type("call".into())
        .with_user_id("u".into())
        .with_app_id("app".into())
        .with_cluster_id("cluster".into())
}

/// A delivered message in two body frames.
fn message() -> Vec<u8> {
    [
        deliver(CHANNEL, CONSUMER),
        header(4, properties()),
        body(b"bo"),
        body(b"dy"),
    ]
    .concat()
}

/// What lapin gets: a connection that is being opened, and confirmations.
fn others() -> Vec<u8> {
    let ack = basic::AMQPMethod::Ack(basic::Ack {
        delivery_tag: 3,
        multiple: true,
    });
    [
        b"AMQP\x00\x00\x09\x01".to_vec(),
        method(3, ack),
        encode(&AMQPFrame::Heartbeat),
    ]
    .concat()
}

/// What was taken out of a stream from which nothing is left to lapin.
fn taken(stream: &[u8]) -> Vec<Kept> {
    let sifted = sift(stream, 100);
    assert_eq!(sifted.violation, None);
    assert!(sifted.passed.is_empty());
    sifted.messages
}

/// A content header whose first header is nested `depth` levels deep.
fn nested(depth: usize) -> Vec<u8> {
    let mut value = vec![b'V'];
    for level in 0..depth {
        let content = if level % 2 == 0 {
            [&[1, b'n'][..], &value].concat()
        } else {
            value
        };
        let size = u32::try_from(content.len()).unwrap().to_be_bytes();
        let kind = if level % 2 == 0 { b'F' } else { b'A' };
        value = [&[kind][..], &size, &content].concat();
    }
    let table = [&[1, b'n'][..], &value].concat();
    let size = u32::try_from(table.len()).unwrap().to_be_bytes();
    content_header(
        &[
            &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0][..],
            &size,
            &table,
        ]
        .concat(),
    )
}

/// The reason and the shown properties of a message that cannot be read.
fn why(header: &[u8]) -> (String, String) {
    let stream = [&deliver(CHANNEL, CONSUMER)[..], header].concat();
    let [Kept { message, .. }] = &taken(&stream)[..] else {
        panic!("one message");
    };
    assert_eq!(message.kind, Kind::Unreadable);
    let Unreadable {
        flaw, properties, ..
    } = message.extras.unreadable.clone().unwrap();
    (flaw.to_string(), properties)
}

#[test]
fn messages_are_taken_out_and_all_else_is_left() {
    let returned = [returned(), header(0, properties())].concat();
    let stream = [others(), message(), others(), returned, message(), others()].concat();
    for piece in [1, 2, 3, 5, 7, 8, 11, 13, 64, 1000, usize::MAX] {
        let sifted = sift(&stream, piece);
        assert_eq!(sifted.violation, None);
        assert!(sifted.passed == others().repeat(3), "{piece}");
        let [one, two, three] = &sifted.messages[..] else {
            panic!("{piece}: {sifted:?}");
        };
        let delivered = How::Delivered {
            tag: 9,
            redelivered: true,
        };
        assert_eq!(one, three);
        assert_eq!(one.how, delivered);
        assert_eq!(one.message.body, "body");
        assert_eq!(one.message.reply_to.as_deref(), Some("queue"));
        let queue = "nobody".to_owned();
        assert_eq!(two.how, How::Returned { queue });
        assert!(two.message.body.is_empty());
    }
}

#[test]
fn messages_of_several_channels_may_alternate() {
    let on = |channel: u16, mut frame: Vec<u8>| {
        frame[1..3].copy_from_slice(&channel.to_be_bytes());
        frame
    };
    let properties = BasicProperties::default;
    let stream = [
        deliver(7, CONSUMER),
        deliver(8, CONSUMER),
        on(8, header(3, properties())),
        header(3, properties()),
        body(b"on"),
        on(8, body(b"tw")),
        body(b"e"),
        on(8, body(b"o")),
    ]
    .concat();
    let bodies: Vec<_> = taken(&stream)
        .into_iter()
        .map(|kept| kept.message.body)
        .collect();
    assert_eq!(bodies, ["one", "two"]);
}

#[test]
fn a_message_without_a_receiver_is_dropped_alone() {
    let stream = [
        deliver(CHANNEL, "rpc.2"),
        header(2, properties()),
        body(b"no"),
        message(),
    ]
    .concat();
    assert_eq!(taken(&stream).len(), 1);
}

#[test]
fn what_has_half_arrived_ends_with_its_channel() {
    let close = channel::Close {
        reply_code: 404,
        reply_text: "no queue 'x...".into(),
        class_id: 50,
        method_id: 10,
    };
    let close = AMQPClass::Channel(channel::AMQPMethod::Close(close));
    let close = encode(&AMQPFrame::Method(CHANNEL, close));
    let stream = [
        deliver(CHANNEL, CONSUMER),
        header(4, properties()),
        body(b"bo"),
        close.clone(),
        message(),
    ]
    .concat();
    let sifted = sift(&stream, 10);
    assert_eq!((sifted.passed, sifted.violation), (close, None));
    assert_eq!(sifted.messages.len(), 1);
}

#[test]
fn a_broker_that_breaks_the_protocol_ends_the_connection() {
    let wrong_end = |mut frame: Vec<u8>| {
        *frame.last_mut().unwrap() = 0;
        frame
    };
    let begun = || [deliver(CHANNEL, CONSUMER), header(4, properties())].concat();
    let get_ok = basic::AMQPMethod::GetOk(basic::GetOk {
        delivery_tag: 1,
        redelivered: false,
        exchange: "".into(),
        routing_key: "".into(),
        message_count: 0,
    });
    let qos_ok = basic::AMQPMethod::QosOk(basic::QosOk {});
    let cases = [
        wrong_end(returned()),
        [returned(), wrong_end(header(4, properties()))].concat(),
        [begun(), wrong_end(body(b"body"))].concat(),
        [begun(), body(b"bodyy")].concat(),
        [begun(), returned()].concat(),
        [begun(), begun()].concat(),
        [begun(), method(CHANNEL, qos_ok)].concat(),
        [begun(), header(4, properties())].concat(),
        [deliver(CHANNEL, CONSUMER), body(b"")].concat(),
        header(0, properties()),
        body(b"body"),
        [message(), body(b"")].concat(),
        [deliver(CHANNEL, CONSUMER), content_header(&[0; 11])].concat(),
        vec![1, 0, 7, 0, 0, 0, 5, 0, 60, 0, 60, 4, 0xCE],
        method(CHANNEL, get_ok),
    ];
    for (number, case) in cases.iter().enumerate() {
        let sifted = sift(case, 10);
        assert!(sifted.violation.is_some(), "{number}: {sifted:?}");
    }
}

#[test]
fn pieces_make_no_difference_wherever_they_are_cut() {
    let mut bad = header(0, properties());
    let id = bad.windows(3).position(|bytes| bytes == b"\x02id").unwrap();
    bad[id + 1] = 0xFF;
    let stream = [
        message(),
        others(),
        deliver(CHANNEL, CONSUMER),
        bad,
        message(),
        returned(),
        nested(127),
        others(),
    ]
    .concat();
    let whole = sift(&stream, usize::MAX);
    assert_eq!((whole.messages.len(), whole.violation), (4, None));
    for cut in 0..stream.len() {
        let (mut edge, mut passed) = (KeepingEdge::new(), Vec::new());
        for piece in [&stream[..cut], &stream[cut..]] {
            edge.read(piece, &mut passed).unwrap();
        }
        assert!(passed == whole.passed, "{cut}");
        assert!(edge.take() == whole.messages, "{cut}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = header(0, properties());
    for (text, flaw) in [
        (&b"\x03a/b"[..], Flaw::Property("content_type")),
        (b"\x02id", Flaw::Property("correlation_id")),
        (b"\x07cluster", Flaw::Property("cluster_id")),
        (b"\x05array", Flaw::Name),
        (b"\x04none", Flaw::Name),
    ] {
        let mut bad = good.clone();
        let place = bad.windows(text.len()).position(|bytes| bytes == text);
        bad[place.unwrap() + 1] = 0xFF;
        let (why, properties) = why(&bad);
        assert_eq!(why, flaw.to_string());
        assert!(
            properties.contains("\\xff") && properties.contains("queue"),
            "{properties}"
        );
    }
    let mut unknown = good.clone();
    let array = unknown
        .windows(7)
        .position(|bytes| bytes == b"\x05arrayA")
        .unwrap();
    unknown[array + 6] = b'z';
    let (why, _) = why(&unknown);
    assert_eq!(why, "one of its headers has the unknown type `z`");
}

#[test]
fn headers_may_be_nested_as_deep_as_json() {
    let stream = [deliver(CHANNEL, CONSUMER), nested(126)].concat();
    assert_eq!(taken(&stream)[0].message.kind, Kind::Absent);
    let (text, _) = why(&nested(127));
    assert_eq!(text, "its headers are nested more than 127 deep");
    // amq-protocol's parser needs a stack of several MiB for these.
    let (text, shown) = why(&nested(20_000));
    assert_eq!(text, "its headers are nested more than 127 deep");
    assert_eq!(shown.len(), 3072);
}

#[test]
fn a_content_header_that_is_too_large_is_not_kept() {
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4];
    payload.resize(3 * 1024 * 1024, 0);
    let huge = [
        deliver(CHANNEL, CONSUMER),
        content_header(&payload),
        body(b"body"),
    ]
    .concat();
    let stream = [message(), huge, message()].concat();
    for piece in [999, 1_000_000] {
        let sifted = sift(&stream, piece);
        assert_eq!((sifted.messages.len(), sifted.violation), (3, None));
        let message = &sifted.messages[1].message;
        assert_eq!(message.extras.unreadable.as_ref().unwrap().flaw, Flaw::Size);
        assert_eq!(message.body, "body");
    }
}

#[test]
fn a_body_that_is_too_large_is_counted_and_not_kept() {
    for size in [LIMIT, LIMIT + 1, 20 * LIMIT] {
        let mut stream = [
            deliver(CHANNEL, CONSUMER),
            header(size as u64, properties()),
        ]
        .concat();
        for piece in vec![b'x'; size].chunks(100_000) {
            stream.extend(body(piece));
        }
        let [Kept { message, .. }] = &taken(&stream)[..] else {
            panic!("one message");
        };
        assert_eq!(message.reply_to.as_deref(), Some("queue"));
        let too_large = (size > LIMIT).then_some(TooLarge { size, limit: LIMIT });
        assert_eq!(message.extras.too_large, too_large);
        assert_eq!(message.body.len(), if size > LIMIT { 0 } else { size });
    }
}

#[test]
fn the_text_of_a_refusal_becomes_readable() {
    // RabbitMQ cuts a text like this.
    let close = AMQPFrame::Method(
        1,
        AMQPClass::Channel(channel::AMQPMethod::Close(channel::Close {
            reply_code: 404,
            reply_text: "no queue 'x...".into(),
            class_id: 50,
            method_id: 10,
        })),
    );
    let mut cut = encode(&close);
    let name = cut.windows(4).position(|bytes| bytes == b"x...").unwrap();
    cut[name] = 0xC3;
    assert!(parse_frame(&cut[..]).is_err());
    let (_, frame) = parse_frame(&sift(&cut, 3).passed[..]).unwrap();
    let AMQPFrame::Method(_, AMQPClass::Channel(channel::AMQPMethod::Close(close))) = frame else {
        panic!("another method");
    };
    assert_eq!(close.reply_text.as_str(), "no queue '?...");
}

#[test]
fn a_large_frame_is_not_kept_for_longer_than_it_takes() {
    let mut edge = KeepingEdge::new();
    let room = edge.room();
    let large = [deliver(CHANNEL, CONSUMER), nested(30_000)].concat();
    let mut rest = &large[..];
    while !rest.is_empty() {
        let (now, later) = rest.split_at(edge.room().min(rest.len()));
        edge.read(now, &mut Vec::new()).unwrap();
        rest = later;
    }
    assert_eq!(edge.take().len(), 1);
    assert_eq!(edge.room(), room);
}

/// A stream that yields these pieces. It is pending where a piece is empty.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.0.pop_front() {
            Some(piece) if piece.is_empty() => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(piece) => {
                buffer[..piece.len()].copy_from_slice(&piece);
                Poll::Ready(Ok(piece.len()))
            }
            None => Poll::Ready(Ok(0)),
        }
    }
}

fn read(edge: &mut Edge<Pieces>, size: usize) -> Poll<Vec<u8>> {
    let mut buffer = vec![0; size];
    let context = &mut Context::from_waker(Waker::noop());
    Pin::new(edge)
        .poll_read(context, &mut buffer)
        .map(|read| buffer[..read.unwrap()].to_vec())
}

#[test]
fn a_stream_waits_for_whole_frames_and_ends_within_one() {
    let others = others();
    let (one, two) = others.split_at(10);
    let pieces = [one.to_vec(), Vec::new(), two[..two.len() - 3].to_vec()];
    let mut edge = Edge::new(
        Pieces(pieces.into()),
        Taps::new(SizeLimit::new(1024), Arc::default()),
    );
    let Poll::Ready(protocol) = read(&mut edge, 100) else {
        panic!("it has come");
    };
    assert_eq!(protocol, others[..8]);
    assert_eq!(read(&mut edge, 100), Poll::Pending);
    let Poll::Ready(first) = read(&mut edge, 10) else {
        panic!("it has come");
    };
    assert_eq!(first, others[8..18]);
    let Poll::Ready(second) = read(&mut edge, 10_000) else {
        panic!("it has come");
    };
    // The heartbeat after it has not arrived as a whole.
    assert_eq!(second, others[18..others.len() - 8]);
    assert_eq!(read(&mut edge, 10), Poll::Ready(Vec::new()));
}

#[test]
fn lapin_gets_heartbeats_while_only_messages_come() {
    let pieces = [message(), Vec::new(), message(), Vec::new()];
    let mut edge = Edge::new(
        Pieces(pieces.into()),
        Taps::new(SizeLimit::new(1024), Arc::default()),
    );
    assert_eq!(read(&mut edge, 100), Poll::Pending);
    edge.handed_out -= 2 * STAND_IN;
    assert_eq!(read(&mut edge, 100), Poll::Ready(HEARTBEAT.to_vec()));
    assert_eq!(read(&mut edge, 100), Poll::Pending);
}

#[test]
fn a_flood_of_messages_lets_lapin_write() {
    let pieces = vec![message(); 100];
    let mut edge = Edge::new(
        Pieces(pieces.into()),
        Taps::new(SizeLimit::new(1024), Arc::default()),
    );
    assert_eq!(read(&mut edge, 100), Poll::Pending);
    assert!(edge.stream.0.len() >= 50);
}

proptest! {
    #[test]
    fn any_content_header_can_be_read(payload in vec(any::<u8>(), 0..400)) {
        whatever_comes_can_be_read(&payload);
    }

    /// Most of the header stays valid, so that the check gets far.
    #[test]
    fn any_change_can_be_read(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut frame = header(0, properties());
        let end = frame.len() - 1;
        for (place, byte) in changes {
            frame[7 + place.index(end - 7)] = byte;
        }
        whatever_comes_can_be_read(&frame[7..end]);
    }
}
