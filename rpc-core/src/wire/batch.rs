//! Packs several messages into the body of one. Specified in `PROTOCOL.md`. Pure: no I/O.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::batching::MOST_CALLS;
use crate::wire::correlation_id;
use crate::wire::header_table::HeaderTable;
use crate::wire::headers::{DEATH_REASON, Headers, SHORT_STRING, headers_size, longest_name};
use crate::wire::inbound::{bound, read_record_headers};
use crate::wire::message::{JSON, Kind, Message, TimeLimit};
use crate::wire::size_limit::SizeLimit;

/// Packs calls, or replies, into one body, in their order.
pub(crate) fn pack(messages: &[Message]) -> Bytes {
    let bodies: usize = messages.iter().map(|message| message.body.len()).sum();
    let mut body = Vec::with_capacity(bodies + messages.len() * RECORD);
    for message in messages {
        let mut buffer = correlation_id::buffer();
        let id = message.correlation_id.as_ref();
        let id = id.map_or("", |id| id.encode(&mut buffer));
        body.push(match message.kind {
            Kind::Call => CALL,
            Kind::Result => RESULT,
            _ => ERROR,
        });
        push_short(&mut body, id);
        if message.kind == Kind::Call {
            let limit = message.limit.unwrap_or_default();
            body.extend(limit.timeout.to_be_bytes());
            body.extend(limit.deadline.unwrap_or_default().to_be_bytes());
            push_headers(&mut body, message);
        }
        push(&mut body, &message.body);
    }
    body.into()
}

/// Unpacks a batch. What its messages share is in the properties of the batch. Each message gets a
/// copy, so that a call is as if it had arrived individually.
///
/// Each message is held to the limit of one. An error says what is wrong with the bytes. Nothing of
/// the batch is used then.
pub(crate) fn unpack(
    batch: &Message,
    limit_of_one: SizeLimit,
) -> Result<Vec<Message>, &'static str> {
    if batch.extras.too_large.is_some() {
        return Err("it is too large");
    }
    let death = batch
        .extras
        .reserved
        .fields()
        .filter(|field| field.name == DEATH_REASON);
    let reserved = HeaderTable::of_fields(death.flat_map(|field| field.bytes).copied().collect());
    let mut rest = Rest(&batch.body);
    let mut messages = Vec::new();
    while !rest.0.is_empty() {
        if messages.len() == MOST {
            return Err("it has too many messages");
        }
        let kind = match rest.take(1)? {
            [CALL] => Kind::Call,
            [RESULT] => Kind::Result,
            [ERROR] => Kind::Error,
            _ => return Err("a record has an unknown type"),
        };
        let id = rest.take_short()?;
        let mut record = Message::default();
        let mut limit = None;
        if kind == Kind::Call {
            let [timeout, deadline] = [rest.take_number()?, rest.take_number()?];
            limit = Some(TimeLimit {
                timeout,
                deadline: Some(deadline),
            });
            rest.take_headers(&mut record)?;
            // The reason why the batch came back, if it did. Other headers that the broker or a
            // stranger has added are not copied, because there may be many calls.
            if !reserved.is_empty() {
                record.extras.reserved = reserved.clone();
            }
        }
        let body = rest.take_long()?;
        if messages.is_empty() {
            // Most records are of similar size. A misleading one reserves at most `MOST`.
            let size = batch.body.len() - rest.0.len();
            messages.reserve((batch.body.len() / size).min(MOST));
        }
        let mut message = Message {
            kind,
            correlation_id: Some(id.into()),
            reply_to: batch.reply_to.clone(),
            content_type: Some(JSON.into()),
            from: batch.from.clone(),
            expiration: limit.map(|limit| Duration::from_millis(limit.timeout)),
            limit,
            takes_batches: batch.takes_batches,
            body: batch.body.slice_ref(body),
            ..record
        };
        bound(&mut message, limit_of_one);
        messages.push(message);
    }
    Ok(messages)
}

fn push(body: &mut Vec<u8>, bytes: &[u8]) {
    // A body that does not fit was refused before.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    body.extend(length.to_be_bytes());
    body.extend(bytes);
}

fn push_short(body: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or_default();
    body.push(length);
    body.extend(&text.as_bytes()[..usize::from(length)]);
}

/// Pushes the headers as JSON, or no bytes if there are none.
fn push_headers(body: &mut Vec<u8>, message: &Message) {
    let mut headers = message.headers.decode();
    for (name, value) in message.marks.headers() {
        headers.insert(name.to_owned(), value);
    }
    if headers.is_empty() {
        return push(body, &[]);
    }
    // JSON values with names that are strings can always be encoded.
    push(body, &serde_json::to_vec(&headers).unwrap_or_default());
}

/// The part of a body that is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("it ends within a record")?;
        self.0 = rest;
        Ok(taken)
    }

    fn take_short(&mut self) -> Result<&'a str, &'static str> {
        let length = self.take(1)?[0];
        let text = self.take(usize::from(length))?;
        std::str::from_utf8(text).map_err(|_| "an id is not UTF-8")
    }

    fn take_long(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.take_array::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        self.take(length)
    }

    fn take_number(&mut self) -> Result<u64, &'static str> {
        self.take_array().map(u64::from_be_bytes)
    }

    fn take_headers(&mut self, message: &mut Message) -> Result<(), &'static str> {
        let headers = self.take_long()?;
        if headers.is_empty() {
            return Ok(());
        }
        if headers.len() > MOST_HEADERS {
            return Err("headers are too long");
        }
        let headers: Headers =
            serde_json::from_slice(headers).map_err(|_| "headers are not a JSON object")?;
        if longest_name(&headers) > SHORT_STRING || headers_size(&headers) > MOST_HEADERS {
            return Err("headers are too long");
        }
        read_record_headers(message, &headers).map_err(|_| "headers are too many, or too deep")
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        // `take` returns as many bytes as it was asked for.
        self.take(N).map(|bytes| bytes.try_into().unwrap_or([0; N]))
    }
}

const CALL: u8 = b'C';
const RESULT: u8 = b'R';
const ERROR: u8 = b'E';

/// About how many bytes a record takes besides its body.
const RECORD: usize = 64;

/// How many bytes of headers a call may have. A frame holds less by default, so a call with more
/// could not travel individually.
const MOST_HEADERS: usize = 128 * 1024;

/// How many messages a batch may have. A batch with more was not made by this library. Records can
/// be so much smaller than messages that the size of the body alone would not bound the memory that
/// the messages take.
const MOST: usize = MOST_CALLS;

#[cfg(test)]
mod tests {
    use std::slice;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde_json::json;

    use super::*;
    use crate::wire::headers::DEEPEST;
    use crate::wire::strategies as any;

    fn call(id: &str, body: &[u8]) -> Message {
        Message {
            kind: Kind::Call,
            correlation_id: Some(id.into()),
            content_type: Some(JSON.into()),
            expiration: Some(Duration::from_millis(500)),
            limit: Some(TimeLimit {
                timeout: 500,
                deadline: Some(1_000_500),
            }),
            body: body.to_vec().into(),
            ..Message::default()
        }
    }

    fn read(batch: &Message) -> Result<Vec<Message>, &'static str> {
        unpack(batch, SizeLimit::NONE)
    }

    fn batch(messages: &[Message]) -> Message {
        Message {
            body: pack(messages),
            ..Message::default()
        }
    }

    proptest! {
        #[test]
        fn messages_survive_the_way(messages in vec(any::batched(), 0..5)) {
            prop_assert_eq!(read(&batch(&messages)), Ok(messages));
        }

        /// A cut between two records is the only one that cannot be noticed.
        #[test]
        fn cut_bytes_are_an_error(messages in vec(any::batched(), 1..4), at in any::<Index>()) {
            let mut cut = batch(&messages);
            let length = at.index(cut.body.len());
            cut.body.truncate(length);
            let whole = (0..messages.len()).find(|&n| pack(&messages[..n]).len() == length);
            match whole {
                Some(n) => prop_assert_eq!(read(&cut), Ok(messages[..n].to_vec())),
                None => prop_assert!(read(&cut).is_err()),
            }
        }

        /// A flipped bit may change a text or a number. It changes no message before it, and makes
        /// no message that could not have been sent like that.
        #[test]
        fn flipped_bits_change_nothing_before_them(
            messages in vec(any::batched(), 1..4),
            at in any::<Index>(),
            bit in 0..8_u8,
        ) {
            let mut body = pack(&messages).to_vec();
            let at = at.index(body.len());
            body[at] ^= 1 << bit;
            let flipped = Message { body: body.into(), ..Message::default() };
            if let Ok(unpacked) = read(&flipped) {
                let before = (0..messages.len()).rfind(|&n| pack(&messages[..n]).len() <= at).unwrap_or(0);
                prop_assert_eq!(&unpacked[..before], &messages[..before]);
                prop_assert_eq!(read(&batch(&unpacked)), Ok(unpacked));
            }
        }
    }

    #[test]
    fn the_deepest_headers_survive() {
        let nested = (0..DEEPEST / 2).fold(json!(1), |inner, _| json!({"n": [inner]}));
        let mut call = call("a", b"");
        call.headers = HeaderTable::encode(&Headers::from([("n".to_owned(), nested)]));
        assert_eq!(read(&batch(slice::from_ref(&call))), Ok(vec![call]));
    }

    #[test]
    fn calls_share_what_the_batch_says() {
        let mut batch = batch(&[call("a", b"1"), call("b", b"2")]);
        batch.reply_to = Some("queue".into());
        batch.from = Some("queue".into());
        for call in read(&batch).unwrap() {
            assert_eq!(call.reply_to.as_deref(), Some("queue"));
            assert_eq!(call.from.as_deref(), Some("queue"));
        }
    }

    #[test]
    fn a_batch_is_bounded_by_its_count() {
        let small = Message {
            kind: Kind::Result,
            ..Message::default()
        };
        assert!(read(&batch(&vec![small.clone(); MOST])).is_ok());
        assert!(read(&batch(&vec![small; MOST + 1])).is_err());
    }

    #[test]
    fn lengths_that_lie_are_an_error() {
        for body in [
            &b"C\x01"[..],
            b"R\x00\xff\xff\xff\xff",
            b"X\x00\x00\x00\x00\x00",
            b"R\x02\xff\xfe\x00\x00\x00\x00",
        ] {
            let batch = Message {
                body: body.to_vec().into(),
                ..Message::default()
            };
            assert!(read(&batch).is_err(), "{body:?}");
        }
    }
}
