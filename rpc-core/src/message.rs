//! The messages of the wire as plain data: no I/O, no AMQP library. `PROTOCOL.md` is their spec.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use uuid::Uuid;

/// Headers of a message. A JSON string travels as an AMQP long string, an integer as a 64-bit one.
pub(crate) type Headers = BTreeMap<String, Value>;

/// One message, independent of the transport that carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) correlation_id: Option<String>,
    pub(crate) reply_to: Option<String>,
    pub(crate) content_type: Option<String>,
    /// 0 to 255; acts only on queues declared with `x-max-priority`.
    pub(crate) priority: Option<u8>,
    /// Delivery mode 2. Calls and replies of this crate are transient (mode 1).
    pub(crate) persistent: bool,
    /// How long the message may wait in a queue, in whole milliseconds on the wire.
    pub(crate) expiration: Option<Duration>,
    /// The publisher's user name, which RabbitMQ has verified if it is present.
    pub(crate) user_id: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
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
            Some(other) => Self::Unknown(other.to_owned()),
            None => Self::Absent,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Call => Some("call"),
            Self::Result => Some("result"),
            Self::Error => Some("error"),
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

/// Names one call among all that are in flight. Random, so that nobody can guess another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CorrelationId(Uuid);

impl CorrelationId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// `None` for an id that this crate cannot have made.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl std::fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
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
        match headers.get("x-first-death-reason").and_then(Value::as_str) {
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

/// The header with the caller's time limit, in milliseconds.
pub(crate) const TIMEOUT: &str = "rpc-timeout";

/// The content type of every body.
pub(crate) const JSON: &str = "application/json";

/// The longest AMQP short string, in bytes: queue names, header names, correlation ids.
pub(crate) const SHORT_STRING: usize = 255;

/// Milliseconds since the Unix epoch; 0 if the clock is before it.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How long a call that arrived just now may still run, if its caller set a limit.
///
/// The time limit bounds it by itself; foreign callers have only the broker's TTL, `expiration`. The
/// deadline, absolute on the caller's clock, takes the time spent in the queue off. It is believed only
/// where it makes sense: clocks of two machines may differ, and a skew must neither lengthen a call nor
/// kill it.
pub(crate) fn time_left(message: &Message, now: SystemTime) -> Option<Duration> {
    let millis = |name| message.headers.get(name).and_then(Value::as_u64);
    let budget = millis(TIMEOUT)
        .map(Duration::from_millis)
        .or(message.expiration)?;
    let left = millis(DEADLINE)
        .and_then(|deadline| deadline.checked_sub(unix_millis(now)))
        .filter(|left| *left > 0)
        .map(Duration::from_millis);
    Some(left.map_or(budget, |left| left.min(budget)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(expiration: Option<u64>, deadline: Option<u64>) -> Message {
        let mut message = Message {
            expiration: expiration.map(Duration::from_millis),
            ..Message::default()
        };
        if let Some(deadline) = deadline {
            message.headers.insert(DEADLINE.into(), deadline.into());
        }
        message
    }

    #[test]
    fn time_left_is_the_budget_less_the_time_in_the_queue() {
        let now = UNIX_EPOCH + Duration::from_millis(10_000);
        let left = |expiration, deadline| time_left(&call(expiration, deadline), now);
        assert_eq!(left(None, None), None);
        assert_eq!(left(Some(500), None), Some(Duration::from_millis(500)));
        assert_eq!(
            left(Some(500), Some(10_200)),
            Some(Duration::from_millis(200))
        );
    }

    #[test]
    fn the_callers_limit_counts_more_than_the_brokers() {
        let mut message = call(Some(470), Some(10_490));
        message.headers.insert(TIMEOUT.into(), 500.into());
        let now = UNIX_EPOCH + Duration::from_millis(10_000);
        assert_eq!(time_left(&message, now), Some(Duration::from_millis(490)));
    }

    #[test]
    fn a_skewed_clock_neither_lengthens_a_call_nor_kills_it() {
        let now = UNIX_EPOCH + Duration::from_millis(10_000);
        let left = |deadline| time_left(&call(Some(500), Some(deadline)), now);
        assert_eq!(
            left(90_000),
            Some(Duration::from_millis(500)),
            "caller's clock ahead"
        );
        assert_eq!(
            left(2_000),
            Some(Duration::from_millis(500)),
            "caller's clock behind"
        );
    }

    #[test]
    fn correlation_ids_survive_the_wire() {
        let id = CorrelationId::random();
        assert_eq!(CorrelationId::parse(&id.to_string()), Some(id));
        assert_eq!(CorrelationId::parse("not ours"), None);
    }
}
