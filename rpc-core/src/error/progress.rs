//! How far a call got that was not answered in time.

use std::fmt;

/// How far a call had got when its time was over, as part of [`RpcError::Timeout`](crate::RpcError::Timeout).
///
/// It is found by one look at the method's queue, which is shared by all calls that end within the same
/// tenth of a second and never holds an error up: so it is a hint at the place to search, not a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It was not sent: there was no time left. It did not run.
    NotSent,
    /// Calls wait in its queue, and it may be one of them.
    Queued {
        /// How many wait.
        calls: u32,
        /// How many servers take calls from the queue, each some at a time.
        servers: u32,
    },
    /// No call waits in its queue, so a server took it.
    Taken {
        /// How many servers take calls from the queue. If none, that which took it is gone.
        servers: u32,
    },
    /// A server ran it, and stopped it at the deadline.
    Stopped,
    /// Its queue is gone, and with it the call, unless a server had taken it.
    NoQueue,
    /// The broker did not say in time.
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
