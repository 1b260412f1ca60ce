//! Every way in which a call can fail, in the order of a call's life.

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
/// The variants are in the order of a call's life. A call ends with its result or with exactly one
/// of them. Most programs need no `match`: see [`may_have_run`](Self::may_have_run),
/// [`is_retryable`](Self::is_retryable), [`is_timeout`](Self::is_timeout) and [`kind`](Self::kind).
///
/// `reason` says in words what happened. If the error of another library caused it,
/// [`source`](std::error::Error::source) returns that error.
///
/// Each variant has a constructor of the same name, to test how a program handles it:
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
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// Part of the call exceeds a limit of AMQP, or the message size limit. Nothing was sent.
    #[error("the {what} of the call of `{method}` is {size} bytes, the limit is {limit}")]
    #[non_exhaustive]
    TooLarge {
        /// The method that was called; truncated if it is itself too long.
        method: String,
        /// What is too large, such as "body" or "method name".
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// There was no connection to the broker until the deadline or, with
    /// [`fail_fast`](crate::RpcBuilder::fail_fast), at the time of the call. Nothing was sent.
    #[error("cannot call `{method}`: no connection to the broker for {waited:?} ({reason})")]
    #[non_exhaustive]
    NotConnected {
        /// The method that was called.
        method: String,
        /// How long the call waited for a connection.
        waited: Duration,
        /// Why there is no connection.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The broker was short of memory or disk, and so accepted no messages until the deadline or,
    /// with [`fail_fast`](crate::RpcBuilder::fail_fast), at the time of the call. Nothing was sent.
    #[error("cannot call `{method}`: the broker blocks publishers ({reason})")]
    #[non_exhaustive]
    Blocked {
        /// The method that was called.
        method: String,
        /// The broker's reason.
        reason: String,
    },

    /// The broker has no queue with the method's name: no server has registered the method there,
    /// or its queue has been deleted since. The call did not run.
    #[error(
        "no server has registered `{method}`: the broker has no queue of that name; start a server, or check \
         the name and that both use the same broker (its URL, with the virtual host or the name in memory://)"
    )]
    #[non_exhaustive]
    NoSuchMethod {
        /// The method that was called.
        method: String,
    },

    /// There are too many calls: the method's queue is full, or this [`Rpc`](crate::Rpc) has
    /// reached its limit of calls in flight ([`max_in_flight`](crate::RpcBuilder::max_in_flight)).
    /// A [confirmed](crate::Call::confirmed) call also ends so if too few nodes of a quorum queue
    /// are running to accept it. The call did not run, unless the queue drops its oldest calls (the
    /// default of `x-overflow`) and a server that had taken this call was lost.
    #[error("too many calls of `{method}`: {reason}")]
    #[non_exhaustive]
    Overloaded {
        /// The method that was called.
        method: String,
        /// Whether the queue returned the call. The broker does not say whether the queue refused
        /// the call or dropped it later, so a returned call may have run. `false` if the call never
        /// reached its queue.
        bounced: bool,
        /// Which limit was reached.
        reason: String,
    },

    /// The deadline passed while the call waited in the method's queue. It did not run, unless a
    /// server that had taken it was lost and no other server took it: the broker does not
    /// distinguish the two cases.
    #[error(
        "the call of `{method}` expired in its queue after {after:?}: {}; or a server that had taken it was lost, in \
         which case it may have run",
        why_not_taken(*.servers, *.waiting)
    )]
    #[non_exhaustive]
    Expired {
        /// The method that was called.
        method: String,
        /// The time within which a server had to take the call.
        after: Duration,
        /// How many servers consume the method's queue; `None` if the broker did not answer in
        /// time. It comes from a single inspection of the queue after the call had left it, as for
        /// [`Progress`].
        servers: Option<u32>,
        /// How many calls were still waiting in the queue at that moment; `None` if the broker did
        /// not answer in time.
        waiting: Option<u32>,
    },

    /// A server rejected the call. Servers of this library do so only if they cannot read the
    /// call's properties. An aio-pika server also does so if it has run the call but could not
    /// answer.
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
        /// `true` if the call may have reached the broker, so that it may have run. `false` occurs
        /// only with [`fail_fast`](crate::RpcBuilder::fail_fast); otherwise an unsent call waits
        /// for the next connection.
        sent: bool,
        /// Why the connection was lost.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// A server that had taken the call was lost, or lost its connection. The call may have run,
    /// and because the method is not idempotent, no other server runs it again.
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

    /// The answer could not be decoded, or is larger than `max_message_size`. A server has taken
    /// the call and has most likely run it.
    #[error("cannot decode the answer of `{method}` as {expected}: {reason}")]
    #[non_exhaustive]
    Decode {
        /// The method that was called.
        method: String,
        /// The expected type, or another description of what was expected.
        expected: String,
        /// What came instead.
        reason: String,
        /// The underlying error, if there is one.
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

    /// Whether the call may have run. `false` is certain: no server has started the handler, and
    /// none will. `true` means that the call has run, may have run, or may still run.
    ///
    /// A call of an idempotent method may have been sent several times; `false` then holds for
    /// every attempt.
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

    /// Whether any caller may repeat the call: it certainly did not run, and another attempt may
    /// succeed because the obstacle may be temporary. This holds for `NotConnected`, `Blocked` and
    /// `NoSuchMethod` (a server may start), and for `Overloaded`, `Timeout` and `ConnectionLost` if
    /// the call did not reach its queue. Wait before each attempt, and longer each time.
    ///
    /// A call of an idempotent method may be repeated after any other error too. Within the call's
    /// time limit, the library itself resends such a call if its connection or its server is lost
    /// ([`Call::idempotent`](crate::Call::idempotent)). So all that is left to the caller is to
    /// repeat a call whose time limit has passed.
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

    /// Whether the time limit ended the call while it waited for a server or for an answer:
    /// `Timeout` or `Expired`.
    ///
    /// A call without a connection, or at a broker that blocks publishers, also waits until its
    /// deadline. It then ends with `NotConnected` or `Blocked`, which name the reason.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Expired { .. })
    }

    /// The kind of the error, for metrics, HTTP statuses and the like: one of the constants in
    /// [`kind`](mod@crate::kind), or the [`kind`](RemoteError::kind) of a service's own error,
    /// which is empty if the service sent none.
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
