//! What holds of any bytes, for tests and fuzzing.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic};

use super::frames::sift;
use super::header::{Flaw, check};
use super::layout::{END, HEAD, HEADER};
use crate::transport::amqp::properties::to_amqp;
use crate::wire::message::Message;

/// Whatever a broker sends as a content header, lapin can read what comes out, and good ones are as they were.
/// The same bytes as they come are at least the same in any pieces.
///
/// # Panics
/// If that does not hold.
pub(crate) fn whatever_comes_can_be_read(bytes: &[u8]) {
    let frame = content_header(bytes);
    let out = sift(&frame, usize::MAX);
    let (rest, parsed) = parse_frame(&out[..]).expect("what comes out can be read");
    assert!(rest.is_empty(), "one frame comes out");
    assert!(matches!(parsed, AMQPFrame::Header(7, _)), "{parsed:?}");
    match check(bytes) {
        Ok(()) => assert!(out == frame, "what can be read is as it was"),
        // lapin would read some of these, and overflow its stack at others.
        Err(Flaw::Depth) => {}
        Err(flaw) => assert!(parse_frame(&frame[..]).is_err(), "it can be read: {flaw}"),
    }
    for stream in [&frame[..], bytes] {
        let whole = sift(stream, usize::MAX);
        for piece in [1, 2, 7, 20] {
            assert!(sift(stream, piece) == whole, "in pieces of {piece}");
        }
    }
}

/// How a broker delivers a message.
///
/// # Panics
/// If the message does not fit a frame.
pub(crate) fn delivery(message: &Message) -> Vec<u8> {
    let deliver = basic::Deliver {
        consumer_tag: "amq.ctag-K4RTqo6Uk5lOH5BzxM4kzA".into(),
        delivery_tag: 1,
        redelivered: false,
        exchange: "".into(),
        routing_key: "bank.balance".into(),
    };
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: message.body.len().try_into().expect("a frame"),
        properties: to_amqp(message),
    };
    let frames = [
        AMQPFrame::Method(7, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))),
        AMQPFrame::Header(7, header),
        AMQPFrame::Body(7, message.body.to_vec()),
    ];
    let written = frames
        .iter()
        .map(|frame| gen_frame(frame)(Vec::new().into()));
    written
        .flat_map(|frame| frame.expect("a frame").into_inner().0)
        .collect()
}

/// A frame with this payload.
pub(super) fn content_header(payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a frame");
    let mut frame = vec![HEADER, 0, 7];
    frame.extend(size.to_be_bytes());
    assert_eq!(frame.len(), HEAD);
    frame.extend(payload);
    frame.push(END);
    frame
}
