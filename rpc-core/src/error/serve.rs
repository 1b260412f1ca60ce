//! Every way serving can fail.

use std::time::Duration;

use thiserror::Error;

use crate::error::connect::ConnectError;

/// Why a service is not served, or was not served to the end.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// There is no connection to the broker.
    #[error("cannot serve: {0}")]
    Connect(#[from] ConnectError),

    /// The broker refused the queue of a method: it exists with other options, or the user may not
    /// configure or read it.
    #[error("cannot serve `{queue}` on {host}: {reason}{}", advice(.reason))]
    #[non_exhaustive]
    Queue {
        /// The queue, which is the method's name.
        queue: String,
        /// Host and port.
        host: String,
        /// The broker's words.
        reason: String,
    },

    /// A method's name is empty, longer than an AMQP short string, or one that RabbitMQ keeps to itself.
    #[error("cannot serve `{method}`: {reason}")]
    #[non_exhaustive]
    MethodName {
        /// The name; cut where it is too long.
        method: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The options of a method's queue cannot be declared.
    #[error("cannot serve `{method}`: {reason}")]
    #[non_exhaustive]
    QueueOptions {
        /// The method.
        method: String,
        /// What is wrong with them.
        reason: String,
    },

    /// This [`Rpc`](crate::Rpc) serves the method already.
    #[error("`{method}` is already registered on this Rpc")]
    AlreadyRegistered {
        /// The method.
        method: String,
    },

    /// The grace period of a shutdown ended before the running calls did; they were dropped.
    #[error("shutdown dropped {unfinished} running calls after {grace:?}")]
    #[non_exhaustive]
    GraceExceeded {
        /// How many calls were dropped.
        unfinished: usize,
        /// The grace period.
        grace: Duration,
    },
}

/// What to do about the broker's most common refusals.
fn advice(reason: &str) -> &'static str {
    if reason.starts_with("PRECONDITION_FAILED") {
        " (all servers of a method declare its queue alike: set the same `QueueOptions`, or delete the queue)"
    } else {
        ""
    }
}
