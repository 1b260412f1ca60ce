//! The messages of the wire as plain data: no I/O, no AMQP library. `PROTOCOL.md` is their spec.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::Value;

use crate::correlation_id::CorrelationId;

/// Headers of a message. A JSON string travels as an AMQP long string, an integer as a 64-bit one.
pub(crate) type Headers = BTreeMap<String, Value>;

/// One message, independent of the transport that carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) correlation_id: Option<CorrelationId>,
    pub(crate) reply_to: Option<Arc<str>>,
    /// The header [`FROM`] of a call.
    pub(crate) from: Option<Arc<str>>,
    /// The headers [`TIMEOUT`] and [`DEADLINE`] of a call.
    pub(crate) limit: Option<Limit>,
    pub(crate) content_type: Option<Cow<'static, str>>,
    /// 0 to 255; acts only on queues declared with `x-max-priority`.
    pub(crate) priority: Option<u8>,
    /// Delivery mode 2. Calls and replies of this crate are transient (mode 1).
    pub(crate) persistent: bool,
    /// How long the message may wait in a queue, in whole milliseconds on the wire.
    pub(crate) expiration: Option<Duration>,
    /// The publisher's user name, which RabbitMQ has verified if it is present.
    pub(crate) user_id: Option<String>,
    /// In a reply, the header [`LANE`]: whether its server takes batches of the method at this time.
    pub(crate) lane: Option<bool>,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// The time limit of a call, as its caller has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit {
    /// What was left when the call was published, in milliseconds.
    pub(crate) timeout: u64,
    /// When it is over, in milliseconds since the Unix epoch on the caller's clock.
    pub(crate) deadline: Option<u64>,
}

impl Message {
    /// The same call for another server, which takes its place in the queue.
    pub(crate) fn for_another(mut self) -> Self {
        // It has been on its way for longer.
        self.headers.remove(IN_TIME);
        // The queues it names have their copies already.
        self.headers.remove("CC");
        // The broker's, of the original.
        self.headers.remove(DELIVERY_COUNT);
        self
    }
}

/// The AMQP property `type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request; on a reply queue it is one that bounced.
    Call,
    /// A reply that carries the value a handler returned.
    Result,
    /// A reply that carries an error.
    Error,
    /// Several calls, or several replies, as one message.
    Batch,
    /// A message whose properties could not be read: nothing of it counts but its body, and why.
    Unreadable,
    /// No type at all, as foreign peers send.
    #[default]
    Absent,
    /// A type this protocol does not know.
    Unknown(String),
}

impl Kind {
    pub(crate) fn parse(name: Option<&str>) -> Self {
        match name {
            Some("call") => Self::Call,
            Some("result") => Self::Result,
            Some("error") => Self::Error,
            Some("batch") => Self::Batch,
            Some(UNREADABLE_TYPE) => Self::Unreadable,
            Some(other) => Self::Unknown(other.to_owned()),
            None => Self::Absent,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Call => Some("call"),
            Self::Result => Some("result"),
            Self::Error => Some("error"),
            Self::Batch => Some("batch"),
            Self::Unreadable => Some(UNREADABLE_TYPE),
            Self::Absent => None,
            Self::Unknown(other) => Some(other),
        }
    }
}

/// A call as a server receives it.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Message,
    /// Whether the broker delivered it before, to anyone.
    pub(crate) redelivered: bool,
    /// Settles the delivery on the channel that brought it.
    pub(crate) tag: u64,
}

/// What reaches a caller.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message on the reply queue: a reply, or a call that bounced.
    Reply(Message),
    /// A call that the broker could not route: its method has no queue.
    Returned(Message),
    /// Nothing more comes, for this reason.
    Ended(String),
}

/// Why a call came back to its caller unanswered, from `x-first-death-reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bounce {
    Expired,
    Rejected,
    Overflowed,
}

impl Bounce {
    /// A bounce without a reason, or with one that is not known, counts as a rejection.
    pub(crate) fn of(headers: &Headers) -> Self {
        match headers.get(DEATH_REASON).and_then(Value::as_str) {
            Some("expired") => Self::Expired,
            Some("maxlen") => Self::Overflowed,
            _ => Self::Rejected,
        }
    }
}

/// The exchange that brings expired, rejected and overflowed calls back to their callers.
pub(crate) const DEAD_LETTER_EXCHANGE: &str = "rpc.dlx";

/// The header by which [`DEAD_LETTER_EXCHANGE`] finds the caller: the name of its reply queue.
pub(crate) const FROM: &str = "From";

/// The header with the caller's deadline: milliseconds since the Unix epoch on the caller's clock.
pub(crate) const DEADLINE: &str = "rpc-deadline";

/// The header with what was left of the caller's time limit when it published, in milliseconds.
pub(crate) const TIMEOUT: &str = "rpc-timeout";

/// The header of a call that is sent again since a server took it for late, which it was not.
pub(crate) const IN_TIME: &str = "rpc-in-time";

/// The header of a call that its caller sends again itself if its server is lost.
pub(crate) const IDEMPOTENT: &str = "rpc-idempotent";

/// The header with how many servers were lost while they ran the call, if any.
pub(crate) const ATTEMPTS: &str = "rpc-attempts";

/// The header in which a quorum queue says how often it has delivered the call before.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";

/// The header that says of a reply whether its server takes batches of the method.
pub(crate) const LANE: &str = "rpc-lane";

/// What goes before the name of a method in that of the queue for its batches.
pub(crate) const LANE_PREFIX: &str = "rpc.lane.";

/// The header in which the broker says why a message came back.
pub(crate) const DEATH_REASON: &str = "x-first-death-reason";

/// The header with the name of the method, of a batch and of a call in a dead-letter queue.
pub(crate) const METHOD: &str = "rpc-method";

/// The type of what stands in for a message whose properties cannot be read.
pub(crate) const UNREADABLE_TYPE: &str = "rpc.unreadable";

/// The header that says why a message cannot be read.
pub(crate) const UNREADABLE: &str = "rpc-unreadable";

/// The header with the properties of a message that cannot be read: their bytes, with escapes where they are not ASCII.
pub(crate) const PROPERTIES: &str = "rpc-properties";

/// The content type of every body but that of a batch.
pub(crate) const JSON: &str = "application/json";

/// The content type of a batch.
pub(crate) const BATCH: &str = "application/vnd.rpc-batch";

/// The longest AMQP short string, in bytes: queue names, header names, correlation ids.
pub(crate) const SHORT_STRING: usize = 255;

/// How many levels of tables and arrays headers may have, with the table of all headers as the first. As deep as JSON
/// is read, and far from what lapin's stack is too small for.
pub(crate) const DEEPEST: usize = 127;

/// Milliseconds since the Unix epoch; 0 if the clock is before it.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How many bytes headers take on the wire, by AMQP's encoding of a field table.
pub(crate) fn headers_size(headers: &Headers) -> usize {
    LENGTH + headers.iter().map(field_size).sum::<usize>()
}

fn field_size((name, value): (&String, &Value)) -> usize {
    1 + name.len() + value_size(value)
}

fn value_size(value: &Value) -> usize {
    let content = match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => LENGTH + text.len(),
        Value::Array(values) => LENGTH + values.iter().map(value_size).sum::<usize>(),
        Value::Object(fields) => LENGTH + fields.iter().map(field_size).sum::<usize>(),
    };
    // A byte says which of them it is.
    1 + content
}

/// The length of the longest name in a table and all that is in it; AMQP's limit is [`SHORT_STRING`].
pub(crate) fn longest_name(table: &Headers) -> usize {
    let fields = table.iter();
    let longest = fields.map(|(name, value)| name.len().max(longest_name_in(value)));
    longest.max().unwrap_or_default()
}

/// The same for what may be in a table.
pub(crate) fn longest_name_in(value: &Value) -> usize {
    let longest = match value {
        Value::Array(values) => values.iter().map(longest_name_in).max(),
        Value::Object(fields) => {
            let names = fields
                .iter()
                .map(|(name, value)| name.len().max(longest_name_in(value)));
            names.max()
        }
        _ => None,
    };
    longest.unwrap_or_default()
}

/// How many levels of tables and arrays a value has.
pub(crate) fn depth_of(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(depth_of).max(),
        Value::Object(fields) => fields.values().map(depth_of).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or_default()
}

/// The length that goes before strings, arrays and tables.
const LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_count_at_every_depth() {
        let table = Headers::from([("ab".to_owned(), json!([{"c": {"defg": 1}}, "longer text"]))]);
        assert_eq!(longest_name(&table), 4);
    }

    #[test]
    fn depth_counts_the_deepest() {
        assert_eq!(depth_of(&json!("text")), 0);
        assert_eq!(depth_of(&json!([1, {"a": [], "b": 2}])), 3);
    }

    #[test]
    fn headers_have_the_size_of_their_encoding() {
        let size = |value: Value| headers_size(&Headers::from([("name".to_owned(), value)]));
        assert_eq!(headers_size(&Headers::new()), 4);
        assert_eq!(size(json!("text")), 4 + 5 + 1 + 4 + 4);
        assert_eq!(size(json!([1, 2, null])), 4 + 5 + 1 + 4 + 9 + 9 + 1);
        assert_eq!(size(json!({"a": true})), 4 + 5 + 1 + 4 + 2 + 2);
    }
}
