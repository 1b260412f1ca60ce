//! The gate of all that is published: calls, replies, copies, dead letters. What does not pass is
//! never published, because the broker would end the channel or the connection for it.

use std::fmt;
use std::sync::Arc;

use tracing::warn;

use crate::wire::correlation_id;
use crate::wire::headers::{
    ATTEMPTS, DEADLINE, FROM, IDEMPOTENT, IN_TIME, LANE, METHOD, PROPERTIES, SHORT_STRING, TIMEOUT,
    UNREADABLE,
};
use crate::wire::inbound::{DIRECT_REPLY_TO, PSEUDO_QUEUES};
use crate::wire::message::Message;

/// Why a message cannot be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The address belongs to the broker.
    Address,
    /// A property is longer than AMQP allows.
    TooLong {
        property: &'static str,
        bytes: usize,
    },
    /// The properties do not fit a frame.
    Frame { bytes: usize, limit: usize },
}

/// Checks a message before it is published to a queue. `limit` is how many bytes the properties
/// may take, with their headers.
pub(crate) fn check(queue: &str, message: &Message, limit: usize) -> Result<(), Unfit> {
    if queue.is_empty() || (queue.starts_with(PSEUDO_QUEUES) && !queue.starts_with(DIRECT_REPLY_TO))
    {
        return Err(Unfit::Address);
    }
    let mut size = Size(FLAGS + 1 + LENGTH);
    size.short("routing key", Some(queue.len()))?;
    size.short("type", message.kind.as_str().map(str::len))?;
    let id = message.correlation_id.as_ref();
    let mut buffer = correlation_id::buffer();
    size.short("correlation_id", id.map(|id| id.encode(&mut buffer).len()))?;
    size.short("reply_to", message.reply_to.as_deref().map(str::len))?;
    size.short(
        "content_type",
        message.content_type.as_deref().map(str::len),
    )?;
    size.short("user_id", message.user_id.as_deref().map(str::len))?;
    size.short("expiration", message.expiration.map(|_| EXPIRATION))?;
    size.0 += usize::from(message.priority.is_some());
    let extras = &message.extras;
    if !extras.is_empty() {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::len);
        size.short("content_encoding", text(&extras.content_encoding))?;
        size.short("message_id", text(&extras.message_id))?;
        size.short("app_id", text(&extras.app_id))?;
        size.short("cluster_id", text(&extras.cluster_id))?;
        size.0 += extras.timestamp.map_or(0, |_| NUMBER);
    }
    size.0 += message.headers.as_bytes().len() + extras.reserved.as_bytes().len();
    if let Some(from) = &message.from {
        size.header(FROM, LENGTH + from.len());
    }
    if let Some(limit) = message.limit {
        size.header(TIMEOUT, NUMBER);
        if limit.deadline.is_some() {
            size.header(DEADLINE, NUMBER);
        }
    }
    if message.takes_batches.is_some() {
        size.header(LANE, 1);
    }
    if message.marks.idempotent {
        size.header(IDEMPOTENT, 1);
    }
    if message.marks.in_time {
        size.header(IN_TIME, 1);
    }
    if message.marks.attempts.is_some() {
        size.header(ATTEMPTS, NUMBER);
    }
    if let Some(method) = &extras.method {
        size.header(METHOD, LENGTH + method.len());
    }
    if let Some(unreadable) = &extras.unreadable {
        size.header(UNREADABLE, LENGTH + unreadable.flaw.to_string().len());
        size.header(PROPERTIES, LENGTH + unreadable.properties.len());
    }
    let Size(bytes) = size;
    if bytes > limit {
        return Err(Unfit::Frame { bytes, limit });
    }
    Ok(())
}

/// Logs that a call gets no reply, because its reply cannot be published. The call is settled.
pub(crate) fn warn_unanswerable(unfit: Unfit) {
    warn!(reason = %unfit, "a call is not answered: its reply cannot be published");
}

/// How many bytes properties take. The routing key counts too, which is on the safe side.
struct Size(usize);

impl Size {
    fn short(&mut self, property: &'static str, bytes: Option<usize>) -> Result<(), Unfit> {
        let Some(bytes) = bytes else {
            return Ok(());
        };
        self.0 += 1 + bytes;
        if bytes > SHORT_STRING {
            return Err(Unfit::TooLong { property, bytes });
        }
        Ok(())
    }

    /// A header with a value of this many bytes, besides its type.
    fn header(&mut self, name: &str, value: usize) {
        self.0 += 1 + name.len() + 1 + value;
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the broker keeps this address to itself"),
            Self::TooLong { property, bytes } => write!(
                f,
                "its {property} is {bytes} bytes, and AMQP allows {SHORT_STRING}"
            ),
            Self::Frame { bytes, limit } => write!(
                f,
                "its properties and headers are {bytes} bytes, and this connection allows {limit}"
            ),
        }
    }
}

/// The flags that say which properties there are, and the delivery mode.
const FLAGS: usize = 2;

/// What a frame with the properties of a message has besides them: its head, the start of a content
/// header, and its end byte.
pub(crate) const FRAME_OVERHEAD: usize = 7 + 12 + 1;

/// The length of a table or of a long string.
const LENGTH: usize = 4;

/// A number of 64 bits.
const NUMBER: usize = 8;

/// The digits of any number of milliseconds.
const EXPIRATION: usize = 20;
