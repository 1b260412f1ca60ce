//! Messages as plain data: no I/O, no AMQP library. Specified in `PROTOCOL.md`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::error::reason::Reason;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::extras::Extras;
use crate::wire::header_table::{FieldValue, HeaderTable};
use crate::wire::headers::{ATTEMPTS, DEATH_REASON, DEATHS, DELIVERY_COUNT, IN_TIME, Marks};

/// One message, independent of the transport that carries it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) correlation_id: Option<CorrelationId>,
    pub(crate) reply_to: Option<Arc<str>>,
    /// The header `From` of a call.
    pub(crate) from: Option<Arc<str>>,
    /// The headers `rpc-timeout` and `rpc-deadline` of a call.
    pub(crate) limit: Option<TimeLimit>,
    pub(crate) content_type: Option<Cow<'static, str>>,
    /// 0 to 255. Takes effect only in queues that were declared with `x-max-priority`.
    pub(crate) priority: Option<u8>,
    /// Delivery mode 2. Calls and replies of this crate are transient (mode 1), except one-way
    /// calls.
    pub(crate) persistent: bool,
    /// How long the message may wait in a queue, in whole milliseconds on the wire.
    pub(crate) expiration: Option<Duration>,
    /// The publisher's user name, which RabbitMQ has verified if it is present.
    pub(crate) user_id: Option<Box<str>>,
    /// In a reply, the header `rpc-lane`: whether its server accepts batches of the method at this
    /// time.
    pub(crate) takes_batches: Option<bool>,
    /// What the protocol's other headers say about a call.
    pub(crate) marks: Marks,
    /// The user's headers.
    pub(crate) headers: HeaderTable,
    pub(crate) extras: Extras,
    pub(crate) body: Bytes,
}

/// The time limit of a call, as its caller has set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    /// What was left when the call was published, in milliseconds.
    pub(crate) timeout: u64,
    /// When the limit is over, in milliseconds since the Unix epoch on the caller's clock.
    pub(crate) deadline: Option<u64>,
}

impl Message {
    /// The same call for another server, to replace this one in the queue.
    pub(crate) fn for_another(mut self) -> Self {
        // The mark does not hold for the copy, which has been in transit for longer.
        self.marks.in_time = false;
        // The queues that `CC` names already have their copies, the broker's count is that of the
        // original, and ours is typed, in whatever form it came.
        if !self.extras.is_empty() {
            let stale = ["CC", "BCC", IN_TIME, ATTEMPTS, DELIVERY_COUNT];
            self.extras.reserved = self.extras.reserved.without(&stale);
        }
        self
    }

    /// Roughly how many bytes it takes in a batch.
    pub(crate) fn batch_size(&self) -> usize {
        self.body.len() + self.headers.as_bytes().len()
    }

    /// Why a call came back, or was moved to another queue.
    pub(crate) fn bounce(&self) -> Bounce {
        // A bounce without a reason, or with an unknown one, counts as a rejection.
        match self
            .extras
            .reserved
            .get(DEATH_REASON)
            .and_then(FieldValue::as_str)
        {
            Some("expired") => Bounce::Expired,
            Some("maxlen") => Bounce::Overflowed,
            _ => Bounce::Rejected,
        }
    }

    /// Whether the broker can dead-letter the message. If its header `x-death` is not one that a
    /// broker has written, RabbitMQ 3.10 crashes the queue when the message is rejected.
    pub(crate) fn can_be_rejected(&self) -> bool {
        match &self.extras.unreadable {
            Some(unreadable) => !unreadable.may_have_died,
            None => {
                let mut fields = self.extras.reserved.fields();
                fields.all(|field| field.name != DEATHS || field.value.is_deaths())
            }
        }
    }

    /// How often a quorum queue says that it has delivered the message before.
    pub(crate) fn delivery_count(&self) -> u64 {
        let count = self.extras.reserved.get(DELIVERY_COUNT);
        count.and_then(FieldValue::as_u64).unwrap_or_default()
    }
}

/// The AMQP property `type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request. On a reply queue, a call that bounced.
    Call,
    /// A reply that carries the value a handler returned.
    Result,
    /// A reply that carries an error.
    Error,
    /// Several calls, or several replies, as one message.
    Batch,
    /// A message whose properties could not be read. Only its body counts, and the reason.
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

    /// Whether a server runs a message of this type. Callers of other libraries need not set it.
    pub(crate) fn is_call(&self) -> bool {
        matches!(self, Self::Call | Self::Absent | Self::Unknown(_))
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
    /// Nothing more arrives, for this reason.
    Ended(Reason),
}

/// Why a call came back to its caller unanswered, from `x-first-death-reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bounce {
    Expired,
    Rejected,
    Overflowed,
}

/// The exchange that brings expired, rejected and overflowed calls back to their callers.
pub(crate) const DEAD_LETTER_EXCHANGE: &str = "rpc.dlx";

/// The name of a method's batch queue is this prefix and the name of the method.
pub(crate) const LANE_PREFIX: &str = "rpc.lane.";

/// The type of the message that replaces one whose properties cannot be read.
pub(crate) const UNREADABLE_TYPE: &str = "rpc.unreadable";

/// The content type of every body, except that of a batch.
pub(crate) const JSON: &str = "application/json";

/// The content type of a batch.
pub(crate) const BATCH: &str = "application/vnd.rpc-batch";

/// Milliseconds since the Unix epoch; 0 if the clock is before it.
pub(crate) fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
