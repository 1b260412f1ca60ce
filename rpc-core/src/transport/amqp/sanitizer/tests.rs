use std::collections::VecDeque;
use std::task::Waker;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic, channel};
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};
use proptest::collection::vec;
use proptest::prelude::*;

use super::amqp_frames::{Frames, sift};
use super::header::Flaw;
use super::proof::{content_header, delivery, whatever_comes_can_be_read};
use super::*;
use crate::wire::message::Message;

/// The bytes of a frame as lapin writes them.
fn bytes(frame: &AMQPFrame) -> Vec<u8> {
    gen_frame(frame)(Vec::new().into()).unwrap().into_inner().0
}

fn deliver(routing_key: &str) -> AMQPFrame {
    AMQPFrame::Method(
        7,
        AMQPClass::Basic(basic::AMQPMethod::Deliver(basic::Deliver {
            consumer_tag: "tag".into(),
            delivery_tag: 1,
            redelivered: false,
            exchange: "exchange".into(),
            routing_key: routing_key.into(),
        })),
    )
}

fn header(properties: BasicProperties) -> AMQPFrame {
    AMQPFrame::Header(
        7,
        AMQPContentHeader {
            class_id: 60,
            body_size: 4,
            properties,
        },
    )
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

fn message() -> Vec<u8> {
    let body = AMQPFrame::Body(7, b"body".to_vec());
    let frames = [deliver("key"), header(properties()), body];
    frames.iter().flat_map(bytes).collect()
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
            &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x20, 0][..],
            &size,
            &table,
        ]
        .concat(),
    )
}

fn parsed(bytes: &[u8]) -> AMQPFrame {
    let (rest, frame) = parse_frame(bytes).expect("a frame");
    assert!(rest.is_empty(), "{rest:?}");
    frame
}

/// The reason and the shown properties of a content header that replaces an unreadable one.
fn instead(bytes: &[u8]) -> (String, String) {
    let AMQPFrame::Header(7, header) = parsed(bytes) else {
        panic!("no content header of the channel");
    };
    assert_eq!((header.class_id, header.body_size), (60, 4));
    let properties = header.properties;
    assert_eq!(
        properties.kind().as_ref().unwrap().as_str(),
        "rpc.unreadable"
    );
    let headers = properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers.len(), 2);
    let text = |name| headers[name].as_long_string().unwrap().to_string();
    (text("rpc-unreadable"), text("rpc-properties"))
}

#[test]
fn what_can_be_read_passes_in_any_pieces() {
    let mut stream = b"AMQP\x00\x00\x09\x01".to_vec();
    stream.extend(message());
    stream.extend(bytes(&AMQPFrame::Heartbeat));
    stream.extend(delivery(&Message::default()));
    stream.extend(bytes(&AMQPFrame::Body(7, vec![2; 300_000])));
    stream.extend(nested(126));
    stream.extend(message());
    for piece in [1, 2, 3, 5, 7, 8, 11, 13, 64, 1000, 100_000, usize::MAX] {
        assert!(sift(&stream, piece) == stream, "{piece}");
    }
}

#[test]
fn pieces_make_no_difference_wherever_they_are_cut() {
    let mut bad = bytes(&header(properties()));
    let id = bad.windows(3).position(|bytes| bytes == b"\x02id").unwrap();
    bad[id + 1] = 0xFF;
    let mut key = bytes(&deliver("key"));
    let end = key.len() - 1;
    key[end - 2] = 0xFF;
    let stream = [
        message(),
        key,
        bad.clone(),
        message(),
        nested(127),
        message(),
    ]
    .concat();
    let whole = sift(&stream, usize::MAX);
    assert!(whole != stream);
    for cut in 0..stream.len() {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            frames.space()[..piece.len()].copy_from_slice(piece);
            frames.read(piece.len());
            let mut buffer = vec![0; 100_000];
            let bytes = frames.hand_out(&mut [IoSliceMut::new(&mut buffer)]);
            out.extend_from_slice(&buffer[..bytes]);
        }
        assert!(out == whole, "{cut}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let good = bytes(&header(properties()));
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
        assert!(parse_frame(&bad[..]).is_err(), "lapin would take it");
        let (why, properties) = instead(&sift(&bad, 100));
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
    let (why, _) = instead(&sift(&unknown, 100));
    assert_eq!(why, "one of its headers has the unknown type `z`");
}

#[test]
fn headers_may_be_nested_as_deep_as_json() {
    let deepest = nested(126);
    assert!(sift(&deepest, 100) == deepest);
    parsed(&deepest);
    let (why, _) = instead(&sift(&nested(127), 100));
    assert_eq!(why, "its headers are nested more than 127 deep");
    // lapin's parser needs a stack of several MiB for these.
    let (why, shown) = instead(&sift(&nested(20_000), 1000));
    assert_eq!(why, "its headers are nested more than 127 deep");
    assert_eq!(shown.len(), 3072);
}

#[test]
fn a_content_header_that_is_too_large_is_not_kept() {
    let properties = vec![0; 3 * 1024 * 1024];
    let huge = content_header(&[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4][..], &properties].concat());
    let stream = [message(), huge, message()].concat();
    for piece in [1, 999, 1_000_000] {
        let out = sift(&stream, piece);
        let out = out.strip_prefix(&message()[..]).unwrap();
        let out = out.strip_suffix(&message()[..]).unwrap();
        assert_eq!(
            instead(out),
            ("its properties are too large".into(), String::new())
        );
    }
}

#[test]
fn methods_are_mended_in_place() {
    let mut bad = bytes(&deliver("a.b.c"));
    let end = bad.len() - 1;
    bad[end - 4..end - 1].copy_from_slice(b"\xFF\xC3\xBC");
    bad[end - 1] = 0xC3;
    assert!(parse_frame(&bad[..]).is_err());
    assert_eq!(parsed(&sift(&bad, 3)), deliver("a?\u{fc}?"));

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
    let mut cut = bytes(&close);
    let name = cut.windows(4).position(|bytes| bytes == b"x...").unwrap();
    cut[name] = 0xC3;
    assert!(parse_frame(&cut[..]).is_err());
    let AMQPFrame::Method(_, AMQPClass::Channel(channel::AMQPMethod::Close(close))) =
        parsed(&sift(&cut, 3))
    else {
        panic!("another method");
    };
    assert_eq!(close.reply_text.as_str(), "no queue '?...");
}

#[test]
fn a_frame_without_its_end_is_left_to_lapin() {
    let mut stream = nested(300);
    let end = stream.len() - 1;
    stream[end] = 0;
    assert!(sift(&stream, 10) == stream);
    assert!(parse_frame(&stream[..]).is_err());
}

#[test]
fn a_large_frame_is_not_kept_for_longer_than_it_takes() {
    let mut frames = Frames::default();
    let room = frames.space().len();
    let large = nested(30_000);
    let mut rest = &large[..];
    while !rest.is_empty() {
        let space = frames.space();
        let read = space.len().min(rest.len());
        space[..read].copy_from_slice(&rest[..read]);
        frames.read(read);
        rest = &rest[read..];
    }
    let mut out = vec![0; 100_000];
    assert!(frames.hand_out(&mut [IoSliceMut::new(&mut out)]) > 0);
    assert_eq!(frames.space().len(), room);
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

#[test]
fn a_stream_waits_for_whole_frames_and_ends_within_one() {
    let message = message();
    let (one, two) = message.split_at(4);
    let begun = two[..two.len() - 3].to_vec();
    let pieces = [one.to_vec(), Vec::new(), begun];
    let mut sanitizer = FrameSanitizer::new(Pieces(pieces.into()));
    let mut read = |size| {
        let mut buffer = vec![0; size];
        let context = &mut Context::from_waker(Waker::noop());
        Pin::new(&mut sanitizer)
            .poll_read(context, &mut buffer)
            .map(|read| buffer[..read.unwrap()].to_vec())
    };
    assert_eq!(read(100), Poll::Pending);
    let Poll::Ready(first) = read(10) else {
        panic!("it has come");
    };
    assert_eq!(first, message[..10]);
    let Poll::Ready(second) = read(10_000) else {
        panic!("it has come");
    };
    // A body passes through as far as it has arrived.
    assert_eq!(second, message[10..message.len() - 3]);
    assert_eq!(read(10), Poll::Ready(Vec::new()));
}

proptest! {
    #[test]
    fn any_content_header_can_be_read(payload in vec(any::<u8>(), 0..400)) {
        whatever_comes_can_be_read(&payload);
    }

    /// Most of the header stays valid, so that the check gets far.
    #[test]
    fn any_change_can_be_read(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut frame = bytes(&header(properties()));
        let end = frame.len() - 1;
        for (place, byte) in changes {
            frame[7 + place.index(end - 7)] = byte;
        }
        whatever_comes_can_be_read(&frame[7..end]);
    }
}
