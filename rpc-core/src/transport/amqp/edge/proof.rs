//! Properties that hold for any input, for tests, benchmarks and fuzzing.

use std::io::IoSliceMut;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "__internals")]
use amq_protocol::frame::AMQPContentHeader;
use amq_protocol::frame::{AMQPFrame, gen_frame};
use amq_protocol::protocol::{AMQPClass, basic};

use super::frames::Frames;
use super::layout::{END, HEAD, HEADER, START};
use super::violation::Violation;
use crate::transport::amqp::properties;
use crate::transport::amqp::taps::{Tap, Taps};
use crate::wire::header_table::HeaderTable;
use crate::wire::inbound;
use crate::wire::message::Message;
use crate::wire::size_limit::SizeLimit;

/// An edge whose messages are kept: those of the consumer [`CONSUMER`], and those that are returned
/// on [`CHANNEL`].
#[derive(Debug)]
pub(crate) struct KeepingEdge {
    frames: Frames,
    messages: Arc<Mutex<Vec<Kept>>>,
    _taps: [Tap; 2],
}

/// A message that was taken out.
#[derive(Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) how: How,
    pub(crate) message: Message,
}

#[derive(Debug, PartialEq)]
pub(crate) enum How {
    Delivered { tag: u64, redelivered: bool },
    Returned { queue: String },
}

/// What the edge makes of a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sifted {
    /// What lapin gets.
    pub(crate) passed: Vec<u8>,
    pub(crate) messages: Vec<Kept>,
    pub(crate) violation: Option<Violation>,
}

impl KeepingEdge {
    pub(crate) fn new() -> Self {
        let taps = Taps::new(SizeLimit::new(LIMIT), Arc::default());
        let messages = Arc::<Mutex<Vec<Kept>>>::default();
        let keep = |kept: &Arc<Mutex<Vec<Kept>>>| {
            let kept = Arc::clone(kept);
            move |how, message| {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(Kept { how, message });
            }
        };
        let (delivered, returned) = (keep(&messages), keep(&messages));
        let (_, consumer) = taps.consume(Arc::new(move |delivery| {
            let how = How::Delivered {
                tag: delivery.tag,
                redelivered: delivery.redelivered,
            };
            delivered(how, delivery.message);
        }));
        let publisher = taps.publish(
            CHANNEL,
            Arc::new(move |message| {
                let how = How::Returned {
                    queue: message.queue,
                };
                returned(how, message.message);
            }),
        );
        Self {
            frames: Frames::new(taps),
            messages,
            _taps: [consumer, publisher],
        }
    }

    /// Reads a piece of a stream, which must fit the space, and hands out what is for lapin.
    pub(crate) fn read(&mut self, piece: &[u8], passed: &mut Vec<u8>) -> Result<(), Violation> {
        self.frames.space()[..piece.len()].copy_from_slice(piece);
        let read = self.frames.read(piece.len());
        while self.frames.is_ready() {
            // Two buffers, as lapin reads.
            let (mut one, mut two) = ([0; 61], [0; 173]);
            let buffers = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            let bytes = self.frames.hand_out(buffers);
            passed.extend([&one[..], &two[..]].concat().iter().take(bytes));
        }
        read
    }

    /// Takes the messages that were taken out.
    pub(crate) fn take(&mut self) -> Vec<Kept> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *messages)
    }

    pub(crate) fn room(&mut self) -> usize {
        self.frames.space().len()
    }
}

/// What the edge makes of a stream that arrives in pieces of this size.
pub(crate) fn sift(stream: &[u8], piece: usize) -> Sifted {
    let (mut edge, mut sifted) = (KeepingEdge::new(), Sifted::default());
    let mut rest = stream;
    while !rest.is_empty() && sifted.violation.is_none() {
        let (now, later) = rest.split_at(piece.max(1).min(rest.len()).min(edge.room()));
        sifted.violation = edge.read(now, &mut sifted.passed).err();
        rest = later;
    }
    sifted.messages = edge.take();
    sifted
}

/// Asserts that any content header makes a message and nothing of it is left to lapin, and that a
/// readable one is read as it is. Also asserts that any stream gives the same in pieces of any size.
///
/// # Panics
/// If one of these does not hold.
pub(crate) fn whatever_comes_can_be_read(bytes: &[u8]) {
    let mut header = bytes.to_vec();
    // No body follows.
    if let Some(size) = header.get_mut(4..START) {
        size.fill(0);
    }
    let stream = [announcement(), content_header(&header)].concat();
    let Sifted {
        passed,
        messages,
        violation,
    } = sift(&stream, usize::MAX);
    assert!(passed.is_empty(), "a part of a message is left to lapin");
    match (header.get(START..), &messages[..]) {
        (None, []) => assert!(violation.is_some(), "it is too short"),
        (Some(properties), [Kept { message, .. }]) => {
            assert_eq!(violation, None);
            assert_eq!(*message, inbound::read(properties));
            if message.extras.unreadable.is_none() {
                assert_copied(message, properties.len());
            }
        }
        other => panic!("{other:?}"),
    }
    for stream in [&stream[..], bytes] {
        let whole = sift(stream, usize::MAX);
        for piece in [1, 2, 7, 20] {
            assert!(sift(stream, piece) == whole, "in pieces of {piece}");
        }
    }
}

/// Asserts that a copy is what its original was, and is not larger.
fn assert_copied(message: &Message, size: usize) {
    let bytes = properties::encode(message);
    let copy = inbound::read(&bytes);
    // Headers travel in the order of their names, and each once.
    let without_headers = |message: &Message| {
        let mut message = message.clone();
        message.headers = HeaderTable::EMPTY;
        message.extras.reserved = HeaderTable::EMPTY;
        message
    };
    assert_eq!(without_headers(&copy), without_headers(message));
    assert_eq!(copy.headers.decode(), message.headers.decode());
    assert_eq!(
        copy.extras.reserved.decode(),
        message.extras.reserved.decode()
    );
    assert_eq!(properties::encode(&copy), bytes);
    assert!(bytes.len() <= size + ALWAYS);
}

/// The frames with which a broker delivers a message.
///
/// # Panics
/// If the message does not fit a frame.
#[cfg(feature = "__internals")]
pub(crate) fn delivery(message: &Message) -> Vec<u8> {
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: message.body.len().try_into().expect("a frame"),
        properties: properties::to_amqp(message),
    };
    let frames = [
        AMQPFrame::Header(CHANNEL, header),
        AMQPFrame::Body(CHANNEL, message.body.to_vec()),
    ];
    let frames = frames.iter().flat_map(encode);
    announcement().into_iter().chain(frames).collect()
}

/// The frame that announces a delivery.
fn announcement() -> Vec<u8> {
    let deliver = basic::Deliver {
        consumer_tag: CONSUMER.into(),
        delivery_tag: 1,
        redelivered: false,
        exchange: "".into(),
        routing_key: "bank.balance".into(),
    };
    let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver));
    encode(&AMQPFrame::Method(CHANNEL, method))
}

/// The bytes of a frame as lapin writes them.
pub(super) fn encode(frame: &AMQPFrame) -> Vec<u8> {
    let written = gen_frame(frame)(Vec::new().into());
    written.expect("a frame").into_inner().0
}

/// A content header frame with this payload.
pub(super) fn content_header(payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a frame");
    let [high, low] = CHANNEL.to_be_bytes();
    let mut frame = vec![HEADER, high, low];
    frame.extend(size.to_be_bytes());
    assert_eq!(frame.len(), HEAD);
    frame.extend(payload);
    frame.push(END);
    frame
}

/// The tag of the first consumer of a connection.
pub(super) const CONSUMER: &str = "rpc.1";

pub(super) const CHANNEL: u16 = 7;

/// The largest body that is kept.
pub(super) const LIMIT: usize = 64 * 1024;

/// What every message that is published has: a delivery mode, and headers, if there are none their
/// length.
const ALWAYS: usize = 5;
