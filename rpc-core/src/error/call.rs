//! Every way a call can end badly, in the order of a call's life.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::error::progress::Progress;

/// Why a call has no result.
///
/// The variants stand in the order of a call's life; a call ends in exactly one of them, or in its
/// result.
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
    },

    /// A server that had taken the call was lost, or lost its connection. The call may have run, and the
    /// method is not idempotent, so no other server runs it again.
    #[error(
        "`{method}` was interrupted: its server was lost or shut down, so it may have run, and was not run again"
    )]
    Interrupted {
        /// The method that was called.
        method: String,
    },

    /// The server answered with an error.
    #[error(transparent)]
    Remote(RemoteError),

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
    },

    /// The [`Rpc`](crate::Rpc) was closed before the answer came.
    #[error("cannot finish the call of `{method}`: this Rpc is closed")]
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

/// An error that a server answered with.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("`{method}` failed on the server: {kind}: {message}")]
#[non_exhaustive]
pub struct RemoteError {
    // A short box: errors stay below the size at which clippy objects to them in a `Result`.
    pub(crate) method: Box<str>,
    /// The type of the error: the name of a Rust type or a Python class without its module, or a name
    /// that starts with `rpc.` if the error comes from this library. Empty if the server named none.
    pub kind: String,
    /// The error in words.
    pub message: String,
    /// The arguments of a Python exception; for a Rust error, its message.
    pub args: Vec<Value>,
    /// The error as a value, from a Rust server.
    pub data: Option<Value>,
}

impl RemoteError {
    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }
}

/// The error of a method that returns `Result<T, E>`.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum CallError<E> {
    /// The error that the service returned, the very value.
    #[error("{0}")]
    Service(E),
    /// The call itself failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl<E: From<RpcError>> CallError<E> {
    /// The error of the service, which the call's own error is made into if that is what failed.
    ///
    /// It is how a client implements its trait.
    pub fn flatten(self) -> E {
        match self {
            Self::Service(error) => error,
            Self::Rpc(error) => error.into(),
        }
    }
}

/// A name for a message, cut so that no error grows with what a caller passed.
pub(crate) fn shorten(name: &str) -> String {
    const KEEP: usize = 64;
    match name.char_indices().nth(KEEP) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// Words that quote what a peer sent, cut in the middle: what was expected stands at their end.
pub(crate) fn shorten_words(words: &str) -> String {
    const KEEP: usize = 200;
    let start = words.char_indices().nth(KEEP);
    let end = words.char_indices().nth_back(KEEP - 1);
    match (start, end) {
        (Some((start, _)), Some((end, _))) if start < end => {
            format!("{} ... {}", &words[..start], &words[end..])
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_says_whether_the_call_may_have_run() {
        let lost = |sent| RpcError::ConnectionLost {
            method: "pay".into(),
            sent,
            reason: "reset".into(),
        };
        assert!(lost(true).to_string().contains("may have run"));
        assert!(lost(false).to_string().contains("was not sent"));
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(shorten("pay"), "pay");
        assert_eq!(shorten(&"é".repeat(100)), format!("{}...", "é".repeat(64)));
    }

    #[test]
    fn long_words_keep_both_ends() {
        let whole = "é".repeat(400);
        assert_eq!(shorten_words(&whole), whole);
        let words = format!("string \"{}\", expected u8", "é".repeat(1000));
        let cut = shorten_words(&words);
        assert!(cut.starts_with("string \"é") && cut.ends_with("é\", expected u8"));
        assert_eq!(cut.chars().count(), 405);
    }
}
