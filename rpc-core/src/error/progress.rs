//! How far an unanswered call got before its deadline.

use std::fmt;

/// How far a call had got at its deadline. Part of [`RpcError::Timeout`](crate::RpcError::Timeout).
///
/// It comes from a single inspection of the method's queue, which all calls that end within the
/// same tenth of a second share and which never delays an error. So it is a hint about where to
/// look, not a proof.
///
/// Variants may be added in the future, but fields will not, so tests can construct each variant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The call was not sent, because no time was left. It did not run.
    NotSent,
    /// Calls wait in the method's queue, and this call may be one of them.
    Queued {
        /// How many wait.
        calls: u32,
        /// How many servers consume the queue. Each runs a limited number of calls at a time.
        servers: u32,
    },
    /// No call waits in the method's queue, so a server took this one.
    Taken {
        /// How many servers consume the queue. If there are none, the server that took the call is
        /// gone.
        servers: u32,
    },
    /// A server ran the call, and stopped it at the deadline.
    Stopped,
    /// The method's queue is gone, and the call with it, unless a server had already taken the
    /// call.
    NoQueue,
    /// The broker did not answer the inspection in time.
    Unknown,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str("there was no time left to send it"),
            Self::Queued { calls, servers: 0 } => {
                write!(
                    f,
                    "calls in its queue: {calls}, and no server takes any; start one"
                )
            }
            Self::Queued { calls, servers } => write!(
                f,
                "calls in its queue: {calls}, servers: {servers}, which are busy"
            ),
            Self::Taken { servers: 0 } => {
                f.write_str("a server has taken it, and is gone; no other is there")
            }
            Self::Taken { .. } => f.write_str("a server has taken it, and no answer came"),
            Self::Stopped => f.write_str("a server ran it, and stopped it at the deadline"),
            Self::NoQueue => f.write_str("its queue is gone"),
            Self::Unknown => f.write_str("the broker does not say how far it got"),
        }
    }
}
