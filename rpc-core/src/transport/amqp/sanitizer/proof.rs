//! Properties that hold for any input, for tests and fuzzing.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic};

use super::amqp_frames::sift;
use super::header::{Flaw, check};
use super::layout::{END, HEAD, HEADER};
use crate::transport::amqp::properties::to_amqp;
use crate::wire::message::Message;

/// Asserts that lapin can read the sanitized form of any content header, and that a readable one
/// is not changed. Also asserts that any stream gives the same output in pieces of any size.
///
/// # Panics
/// If one of these does not hold.
pub(crate) fn whatever_comes_can_be_read(bytes: &[u8]) {
    let frame = content_header(bytes);
    let out = sift(&frame, usize::MAX);
    let (rest, parsed) = parse_frame(&out[..]).expect("the output can be read");
    assert!(rest.is_empty(), "the output is one frame");
    assert!(matches!(parsed, AMQPFrame::Header(7, _)), "{parsed:?}");
    match check(bytes) {
        Ok(()) => assert!(out == frame, "a readable header is not changed"),
        // lapin would read some of these, and overflow its stack on others.
        Err(Flaw::Depth) => {}
        Err(flaw) => assert!(
            parse_frame(&frame[..]).is_err(),
            "lapin can read it: {flaw}"
        ),
    }
    for stream in [&frame[..], bytes] {
        let whole = sift(stream, usize::MAX);
        for piece in [1, 2, 7, 20] {
            assert!(sift(stream, piece) == whole, "in pieces of {piece}");
        }
    }
}

/// The frames with which a broker delivers a message.
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

/// A content header frame with this payload.
pub(super) fn content_header(payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a frame");
    let mut frame = vec![HEADER, 0, 7];
    frame.extend(size.to_be_bytes());
    assert_eq!(frame.len(), HEAD);
    frame.extend(payload);
    frame.push(END);
    frame
}
