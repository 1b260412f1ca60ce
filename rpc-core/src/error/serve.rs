//! Every way in which serving can fail.

use std::time::Duration;

use thiserror::Error;

use crate::error::cause::Cause;
use crate::error::connect::ConnectError;

/// Why a service could not be served, or did not shut down in order.
///
/// Each variant with fields has a constructor of the same name, for tests.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ServeError {
    /// There is no connection to the broker.
    #[error("cannot serve: {0}")]
    Connect(#[from] ConnectError),

    /// The broker refused the queue of a method: the queue exists with other options, or the user
    /// has no permission to configure or read it.
    #[error("cannot serve `{queue}` on {host}: {reason}{}", advice(.reason))]
    #[non_exhaustive]
    Queue {
        /// The queue, which is the method's name.
        queue: String,
        /// Host and port.
        host: String,
        /// The broker's words.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// A method's name is empty, longer than an AMQP short string, or reserved by RabbitMQ.
    #[error("cannot serve `{method}`: {reason}")]
    #[non_exhaustive]
    MethodName {
        /// The name; truncated if it is too long.
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

    /// This [`Rpc`](crate::Rpc) already serves the method.
    #[error("`{method}` is already registered on this Rpc")]
    #[non_exhaustive]
    AlreadyRegistered {
        /// The method.
        method: String,
    },

    /// The grace period of a shutdown ended before the running calls had ended, so they were
    /// dropped.
    #[error("shutdown dropped {unfinished} running calls after {grace:?}")]
    #[non_exhaustive]
    GraceExceeded {
        /// How many calls were dropped.
        unfinished: usize,
        /// The grace period.
        grace: Duration,
    },
}

impl ServeError {
    /// A [`Queue`](Self::Queue).
    #[must_use]
    pub fn queue(
        queue: impl Into<String>,
        host: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Queue {
            queue: queue.into(),
            host: host.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`MethodName`](Self::MethodName).
    #[must_use]
    pub fn method_name(method: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::MethodName {
            method: method.into(),
            reason: reason.into(),
        }
    }

    /// A [`QueueOptions`](Self::QueueOptions).
    #[must_use]
    pub fn queue_options(method: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::QueueOptions {
            method: method.into(),
            reason: reason.into(),
        }
    }

    /// An [`AlreadyRegistered`](Self::AlreadyRegistered).
    #[must_use]
    pub fn already_registered(method: impl Into<String>) -> Self {
        Self::AlreadyRegistered {
            method: method.into(),
        }
    }

    /// A [`GraceExceeded`](Self::GraceExceeded).
    #[must_use]
    pub fn grace_exceeded(unfinished: usize, grace: Duration) -> Self {
        Self::GraceExceeded { unfinished, grace }
    }

    /// Sets the underlying error, if the variant has a field for it.
    pub(crate) fn caused_by(mut self, cause: Option<Cause>) -> Self {
        if let Self::Queue { source, .. } = &mut self {
            *source = cause;
        }
        self
    }
}

/// What to do about the broker's most common refusal.
fn advice(reason: &str) -> &'static str {
    if reason.starts_with("PRECONDITION_FAILED") {
        " (all servers of a method declare its queue alike: set the same `QueueOptions`, or delete the queue)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::*;

    #[test]
    fn a_refused_queue_keeps_its_cause_and_says_what_to_do() {
        let error = ServeError::queue("pay", "bank:5672", "PRECONDITION_FAILED - durable");
        assert!(error.to_string().contains("delete the queue"), "{error}");
        let cause = Cause::new(io::Error::other("reset"));
        let caused = error.clone().caused_by(Some(cause));
        assert_ne!(caused, error);
        assert_eq!(
            caused.source().map(ToString::to_string).as_deref(),
            Some("reset")
        );
        let inner = ConnectError::unreachable("bank:5672", "refused");
        let outer = ServeError::from(inner.clone());
        let source = outer.source().and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&inner));
    }

    #[test]
    fn errors_are_equal_by_what_they_say() {
        let second = Duration::from_secs(1);
        let errors = || {
            [
                ServeError::method_name("", "it is empty"),
                ServeError::queue_options("pay", "a name is too long"),
                ServeError::already_registered("pay"),
                ServeError::grace_exceeded(1, second),
            ]
        };
        assert_eq!(errors(), errors());
        assert_ne!(
            ServeError::grace_exceeded(1, second),
            ServeError::grace_exceeded(2, second)
        );
    }
}
