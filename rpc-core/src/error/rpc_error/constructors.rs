//! Constructors of errors of calls, for the library and for tests of how a program handles them.

use std::time::Duration;

use super::RpcError;
use crate::error::cause::Cause;
use crate::error::progress::Progress;

/// A constructor for each variant, with its name. An error of a server is converted from a
/// [`RemoteError`](crate::RemoteError).
impl RpcError {
    /// An [`Encode`](Self::Encode).
    #[must_use]
    pub fn encode(method: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Encode {
            method: method.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`TooLarge`](Self::TooLarge).
    #[must_use]
    pub fn too_large(
        method: impl Into<String>,
        what: impl Into<String>,
        size: usize,
        limit: usize,
    ) -> Self {
        Self::TooLarge {
            method: method.into(),
            what: what.into(),
            size,
            limit,
        }
    }

    /// A [`NotConnected`](Self::NotConnected).
    #[must_use]
    pub fn not_connected(
        method: impl Into<String>,
        waited: Duration,
        reason: impl Into<String>,
    ) -> Self {
        Self::NotConnected {
            method: method.into(),
            waited,
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`Blocked`](Self::Blocked).
    #[must_use]
    pub fn blocked(method: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Blocked {
            method: method.into(),
            reason: reason.into(),
        }
    }

    /// A [`NoSuchMethod`](Self::NoSuchMethod).
    #[must_use]
    pub fn no_such_method(method: impl Into<String>) -> Self {
        Self::NoSuchMethod {
            method: method.into(),
        }
    }

    /// An [`Overloaded`](Self::Overloaded).
    #[must_use]
    pub fn overloaded(method: impl Into<String>, bounced: bool, reason: impl Into<String>) -> Self {
        Self::Overloaded {
            method: method.into(),
            bounced,
            reason: reason.into(),
        }
    }

    /// An [`Expired`](Self::Expired).
    #[must_use]
    pub fn expired(
        method: impl Into<String>,
        after: Duration,
        servers: Option<u32>,
        waiting: Option<u32>,
    ) -> Self {
        Self::Expired {
            method: method.into(),
            after,
            servers,
            waiting,
        }
    }

    /// A [`Rejected`](Self::Rejected).
    #[must_use]
    pub fn rejected(method: impl Into<String>) -> Self {
        Self::Rejected {
            method: method.into(),
        }
    }

    /// A [`Timeout`](Self::Timeout).
    #[must_use]
    pub fn timeout(method: impl Into<String>, after: Duration, progress: Progress) -> Self {
        Self::Timeout {
            method: method.into(),
            after,
            progress,
        }
    }

    /// A [`ConnectionLost`](Self::ConnectionLost).
    #[must_use]
    pub fn connection_lost(
        method: impl Into<String>,
        sent: bool,
        reason: impl Into<String>,
    ) -> Self {
        Self::ConnectionLost {
            method: method.into(),
            sent,
            reason: reason.into(),
            source: None,
        }
    }

    /// An [`Interrupted`](Self::Interrupted).
    #[must_use]
    pub fn interrupted(method: impl Into<String>) -> Self {
        Self::Interrupted {
            method: method.into(),
        }
    }

    /// A [`Decode`](Self::Decode).
    #[must_use]
    pub fn decode(
        method: impl Into<String>,
        expected: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Decode {
            method: method.into(),
            expected: expected.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`Closed`](Self::Closed).
    #[must_use]
    pub fn closed(method: impl Into<String>) -> Self {
        Self::Closed {
            method: method.into(),
        }
    }

    /// Sets the underlying error, if the variant has a field for it.
    pub(crate) fn caused_by(mut self, cause: Option<Cause>) -> Self {
        if let Self::Encode { source, .. }
        | Self::NotConnected { source, .. }
        | Self::ConnectionLost { source, .. }
        | Self::Decode { source, .. } = &mut self
        {
            *source = cause;
        }
        self
    }
}
