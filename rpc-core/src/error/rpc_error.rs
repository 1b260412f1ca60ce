//! Every way a call can end badly, in the order of a call's life.

use std::time::Duration;

use thiserror::Error;

use crate::error::cause::Cause;
use crate::error::kind;
use crate::error::progress::Progress;
use crate::error::remote::RemoteError;

mod constructors;
#[cfg(test)]
pub(crate) mod tests;

/// Why a call has no result.
///
/// The variants stand in the order of a call's life; a call ends in exactly one of them, or in its
/// result. What most programs ask of an error needs no `match`: [`may_have_run`](Self::may_have_run),
/// [`is_retryable`](Self::is_retryable), [`is_timeout`](Self::is_timeout) and [`kind`](Self::kind).
///
/// `reason` says in words what happened. Where another library's error was behind it,
/// [`source`](std::error::Error::source) gives that.
///
/// Each variant has a constructor of its name, for tests of what a program does with it:
///
/// ```
/// use std::time::Duration;
/// use rpc_core::{Progress, RpcError};
///
/// let error = RpcError::timeout("pay", Duration::from_secs(5), Progress::Unknown);
/// assert!(error.is_timeout() && error.may_have_run());
/// ```
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RpcError {
    /// The arguments could not be encoded. Nothing was sent.
    #[error("cannot encode the call of `{method}`: {reason}")]
    #[non_exhaustive]
    Encode {
        /// The method that was called.
        method: String,
        /// What is wrong.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// Something exceeds a limit of AMQP, or the message size limit. Nothing was sent.
    #[error("the {what} of the call of `{method}` is {size} bytes, the limit is {limit}")]
    #[non_exhaustive]
    TooLarge {
        /// The method that was called; cut where it is itself too long.
        method: String,
        /// What is too large, such as "body" or "method name".
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// There was no connection to the broker until the deadline, or none at the moment of the call with
    /// [`fail_fast`](crate::RpcBuilder::fail_fast). Nothing was sent.
    #[error("cannot call `{method}`: no connection to the broker for {waited:?} ({reason})")]
    #[non_exhaustive]
    NotConnected {
        /// The method that was called.
        method: String,
        /// How long the call waited for a connection.
        waited: Duration,
        /// Why there is none.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The broker accepted no messages until the deadline, or at the moment of the call with
    /// [`fail_fast`](crate::RpcBuilder::fail_fast), since it is short of memory or disk. Nothing was sent.
    #[error("cannot call `{method}`: the broker blocks publishers ({reason})")]
    #[non_exhaustive]
    Blocked {
        /// The method that was called.
        method: String,
        /// The broker's reason.
        reason: String,
    },

    /// The broker has no queue of the method's name: no server has registered it there, or its queue is
    /// gone since. It did not run.
    #[error(
        "no server has registered `{method}`: the broker has no queue of that name; start a server, or check \
         the name and that both use the same broker (its URL, with the virtual host or the name in memory://)"
    )]
    #[non_exhaustive]
    NoSuchMethod {
        /// The method that was called.
        method: String,
    },

    /// There are too many calls: the method's queue is full, or this [`Rpc`](crate::Rpc) has as many in flight as
    /// it may ([`max_in_flight`](crate::RpcBuilder::max_in_flight)). A [confirmed](crate::Call::confirmed) call also ends
    /// so if too few nodes of a quorum queue run to take it. The call did not run, unless the queue drops
    /// its oldest calls (the default of `x-overflow`) and a server that had taken this one was lost.
    #[error("too many calls of `{method}`: {reason}")]
    #[non_exhaustive]
    Overloaded {
        /// The method that was called.
        method: String,
        /// Whether the call came back from its queue. The broker does not say then whether the queue refused it or
        /// dropped it later, so it may have run. `false` if it was never in its queue.
        bounced: bool,
        /// Which limit was met.
        reason: String,
    },

    /// The deadline passed while the call waited in the method's queue. It did not run, unless a server
    /// that had taken it was lost and no other came: the broker does not tell the two apart.
    #[error(
        "the call of `{method}` expired in its queue after {after:?}: {}; or the one that had taken it was lost, in \
         which case it may have run",
        why_not_taken(*.servers, *.waiting)
    )]
    #[non_exhaustive]
    Expired {
        /// The method that was called.
        method: String,
        /// How long the call had to be taken.
        after: Duration,
        /// How many servers take calls of the method; `None` if the broker did not say in time. Found by one look at its
        /// queue after the call had left it, as for [`Progress`].
        servers: Option<u32>,
        /// How many calls waited behind it at that moment.
        waiting: Option<u32>,
    },

    /// A server refused the call. Those of this library do so only if they cannot read its properties. An aio-pika server also does so if it has
    /// run the call and could not answer.
    #[error("a server rejected the call of `{method}`")]
    #[non_exhaustive]
    Rejected {
        /// The method that was called.
        method: String,
    },

    /// No answer came in time. The call may have run, unless it was not sent.
    #[error("no answer to `{method}` within {after:?}: {progress}")]
    #[non_exhaustive]
    Timeout {
        /// The method that was called.
        method: String,
        /// The time limit of the call.
        after: Duration,
        /// How far the call got.
        progress: Progress,
    },

    /// The connection was lost before the answer came.
    #[error("connection lost during the call of `{method}`, {}: {reason}", sent_words(*.sent))]
    #[non_exhaustive]
    ConnectionLost {
        /// The method that was called.
        method: String,
        /// `false` only if the call cannot have reached the broker, which is reported with
        /// [`fail_fast`](crate::RpcBuilder::fail_fast) only: otherwise such a call waits for the next
        /// connection. If `true`, it may have run.
        sent: bool,
        /// Why the connection was lost.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// A server that had taken the call was lost, or lost its connection. The call may have run, and the
    /// method is not idempotent, so no other server runs it again.
    #[error(
        "`{method}` was interrupted: its server was lost or shut down, so it may have run, and was not run again"
    )]
    #[non_exhaustive]
    Interrupted {
        /// The method that was called.
        method: String,
    },

    /// The server answered with an error.
    #[error(transparent)]
    Remote(#[from] RemoteError),

    /// The answer could not be decoded, or is larger than `max_message_size`. A server has taken the call, and most likely run it.
    #[error("cannot decode the answer of `{method}` as {expected}: {reason}")]
    #[non_exhaustive]
    Decode {
        /// The method that was called.
        method: String,
        /// The type that was expected, or what else.
        expected: String,
        /// What came instead.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The [`Rpc`](crate::Rpc) was closed before the answer came.
    #[error("cannot finish the call of `{method}`: this Rpc is closed")]
    #[non_exhaustive]
    Closed {
        /// The method that was called.
        method: String,
    },
}

impl RpcError {
    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> &str {
        match self {
            Self::Encode { method, .. }
            | Self::TooLarge { method, .. }
            | Self::NotConnected { method, .. }
            | Self::Blocked { method, .. }
            | Self::NoSuchMethod { method }
            | Self::Overloaded { method, .. }
            | Self::Expired { method, .. }
            | Self::Rejected { method }
            | Self::Timeout { method, .. }
            | Self::ConnectionLost { method, .. }
            | Self::Interrupted { method }
            | Self::Decode { method, .. }
            | Self::Closed { method } => method,
            Self::Remote(remote) => remote.method(),
        }
    }

    /// Whether the call may have run. `false` is certain: no server has started its handler, nor will one. `true` means
    /// that it has, may have, or may yet.
    ///
    /// A call of an idempotent method may have been sent several times; `false` then holds for each of them.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Encode { .. }
            | Self::TooLarge { .. }
            | Self::NotConnected { .. }
            | Self::Blocked { .. }
            | Self::NoSuchMethod { .. } => false,
            Self::Overloaded { bounced, .. } => *bounced,
            Self::Timeout { progress, .. } => *progress != Progress::NotSent,
            Self::ConnectionLost { sent, .. } => *sent,
            Self::Expired { .. }
            | Self::Rejected { .. }
            | Self::Interrupted { .. }
            | Self::Decode { .. }
            | Self::Closed { .. } => true,
            Self::Remote(remote) => remote.may_have_run(),
        }
    }

    /// Whether any caller may repeat the call: it certainly did not run, and another attempt may succeed, since what
    /// stood in the way may pass. That is so of `NotConnected`, `Blocked`, `NoSuchMethod` (a server may start), and of
    /// `Overloaded`, `Timeout` and `ConnectionLost` where the call did not reach its queue. Wait before each attempt, and
    /// longer each time.
    ///
    /// A method that is idempotent may be repeated after any other error, too. Within the time limit of a call the
    /// library does so itself where its connection or its server was lost ([`Call::idempotent`](crate::Call::idempotent));
    /// what is left to repeat is a call whose time was over.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotConnected { .. }
            | Self::Blocked { .. }
            | Self::NoSuchMethod { .. }
            | Self::Overloaded { .. }
            | Self::Timeout { .. }
            | Self::ConnectionLost { .. } => !self.may_have_run(),
            Self::Encode { .. }
            | Self::TooLarge { .. }
            | Self::Expired { .. }
            | Self::Rejected { .. }
            | Self::Interrupted { .. }
            | Self::Remote(_)
            | Self::Decode { .. }
            | Self::Closed { .. } => false,
        }
    }

    /// Whether the time limit ended the call while it waited for a server or for its answer: `Timeout` or `Expired`.
    ///
    /// Without a connection, or at a broker that blocks, a call waits until its deadline as well, and ends as
    /// `NotConnected` or `Blocked`, which name the reason.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Expired { .. })
    }

    /// The kind of the error, for metrics, statuses of HTTP and the like: one of the constants of
    /// [`kind`](mod@crate::kind), or the [`kind`](RemoteError::kind) that a service gave its own error, which is empty
    /// if it gave none.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Encode { .. } => kind::ENCODE,
            Self::TooLarge { .. } => kind::CALL_TOO_LARGE,
            Self::NotConnected { .. } => kind::NOT_CONNECTED,
            Self::Blocked { .. } => kind::BLOCKED,
            Self::NoSuchMethod { .. } => kind::NO_SUCH_METHOD,
            Self::Overloaded { .. } => kind::OVERLOADED,
            Self::Expired { .. } => kind::EXPIRED,
            Self::Rejected { .. } => kind::REJECTED,
            Self::Timeout { .. } => kind::TIMEOUT,
            Self::ConnectionLost { .. } => kind::CONNECTION_LOST,
            Self::Interrupted { .. } => kind::INTERRUPTED,
            Self::Remote(remote) => &remote.kind,
            Self::Decode { .. } => kind::DECODE,
            Self::Closed { .. } => kind::CLOSED,
        }
    }
}

fn why_not_taken(servers: Option<u32>, waiting: Option<u32>) -> String {
    match (servers, waiting) {
        (Some(0), _) => "no server takes its calls, start one".into(),
        (Some(servers), Some(waiting)) => format!(
            "none of its servers ({servers}) was free to take it, and {waiting} more calls waited; start more, or let them run \
             more at a time"
        ),
        _ => "no server was free to take it (is one running?)".into(),
    }
}

fn sent_words(sent: bool) -> &'static str {
    if sent {
        "which may have run"
    } else {
        "which was not sent"
    }
}
