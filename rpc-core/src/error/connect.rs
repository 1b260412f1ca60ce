//! Every way in which connecting can fail.

use thiserror::Error;

use crate::error::cause::Cause;

/// Why there is no connection.
///
/// `reason` says in words what happened. If the error of another library caused it,
/// [`source`](std::error::Error::source) returns that error. Each variant with fields has a
/// constructor of the same name, for tests.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not a valid `amqp://`, `amqps://` or `memory://` URL. A password in it is not
    /// shown.
    #[error("`{url}` is not the URL of a broker: {reason}")]
    #[non_exhaustive]
    InvalidUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The URL asks for TLS, but this build does not support it.
    #[error("cannot connect to {host}: `amqps` needs the feature `tls` of rpc-core, which is off")]
    #[non_exhaustive]
    TlsDisabled {
        /// Host and port.
        host: String,
    },

    /// The URL is `memory://`, but this build does not include that broker.
    #[error("cannot connect to memory://: it needs the feature `memory` of rpc-core, which is off")]
    MemoryDisabled,

    /// A TLS option cannot be used: its PEM holds no certificate or no key, or the option does not
    /// fit the URL. The key is never shown.
    #[error("cannot use `{option}`: {reason}")]
    #[non_exhaustive]
    TlsOptions {
        /// The option of [`RpcBuilder`](crate::RpcBuilder).
        option: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The host speaks TLS, but one side does not trust the other. Either its certificate has an
    /// untrusted issuer, is for another host, or has expired; or the broker does not accept the
    /// client certificate.
    #[error("cannot establish TLS with {host}: {reason}")]
    #[non_exhaustive]
    Tls {
        /// Host and port.
        host: String,
        /// What happened, and what to do about it.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The host cannot be reached, or does not speak the protocol that the URL names.
    #[error("cannot connect to {host}: {reason}")]
    #[non_exhaustive]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The broker refused the user, the password, the client certificate or the virtual host.
    #[error("{host} refused {} on virtual host `{vhost}`: {reason}", whom(.user))]
    #[non_exhaustive]
    Refused {
        /// Host and port.
        host: String,
        /// The user name of the login; `None` if only the client certificate contains it.
        user: Option<String>,
        /// The virtual host.
        vhost: String,
        /// The broker's words.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The connection was opened, but the broker refused something that calls need on it.
    #[error("{host} refused to set up {what}: {reason}")]
    #[non_exhaustive]
    Setup {
        /// Host and port.
        host: String,
        /// The queue or exchange.
        what: String,
        /// The broker's words.
        reason: String,
        /// The underlying error, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// None of several hosts could be used. Holds the error of each.
    #[error("no host could be used: {}", each(.0))]
    NoHost(Vec<Self>),

    /// The [`Rpc`](crate::Rpc) was closed.
    #[error("this Rpc is closed")]
    Closed,
}

impl ConnectError {
    /// An [`InvalidUrl`](Self::InvalidUrl).
    #[must_use]
    pub fn invalid_url(url: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidUrl {
            url: url.into(),
            reason: reason.into(),
        }
    }

    /// A [`TlsDisabled`](Self::TlsDisabled).
    #[must_use]
    pub fn tls_disabled(host: impl Into<String>) -> Self {
        Self::TlsDisabled { host: host.into() }
    }

    /// A [`TlsOptions`](Self::TlsOptions).
    #[must_use]
    pub fn tls_options(option: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::TlsOptions {
            option: option.into(),
            reason: reason.into(),
        }
    }

    /// A [`Tls`](Self::Tls).
    #[must_use]
    pub fn tls(host: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Tls {
            host: host.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// An [`Unreachable`](Self::Unreachable).
    #[must_use]
    pub fn unreachable(host: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unreachable {
            host: host.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`Refused`](Self::Refused).
    #[must_use]
    pub fn refused(
        host: impl Into<String>,
        user: Option<String>,
        vhost: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Refused {
            host: host.into(),
            user,
            vhost: vhost.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// A [`Setup`](Self::Setup).
    #[must_use]
    pub fn setup(
        host: impl Into<String>,
        what: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Setup {
            host: host.into(),
            what: what.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// Sets the underlying error, if the variant has a field for it.
    pub(crate) fn caused_by(mut self, cause: Option<Cause>) -> Self {
        if let Self::Tls { source, .. }
        | Self::Unreachable { source, .. }
        | Self::Refused { source, .. }
        | Self::Setup { source, .. } = &mut self
        {
            *source = cause;
        }
        self
    }
}

fn whom(user: &Option<String>) -> String {
    match user {
        Some(user) => format!("user `{user}`"),
        None => "the user of the client certificate".into(),
    }
}

fn each(errors: &[ConnectError]) -> String {
    let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::*;

    #[test]
    fn errors_are_equal_by_what_they_say_and_keep_their_cause() {
        let reset = || Some(Cause::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        for error in [
            ConnectError::tls("bank:5671", "expired"),
            ConnectError::unreachable("bank:5672", "reset"),
            ConnectError::refused("bank:5672", Some("ann".into()), "/", "no such user"),
            ConnectError::setup("bank:5672", "a channel", "reset"),
        ] {
            assert!(error.source().is_none());
            let caused = error.clone().caused_by(reset());
            assert_ne!(caused, error);
            assert_eq!(caused, error.caused_by(reset()));
            let source = caused.source().and_then(|source| source.downcast_ref());
            assert_eq!(
                source.map(io::Error::kind),
                Some(io::ErrorKind::ConnectionReset)
            );
        }
    }

    #[test]
    fn errors_without_a_cause_stay_as_they_are() {
        for error in [
            ConnectError::invalid_url("x", "it is no URL"),
            ConnectError::tls_disabled("bank:5671"),
            ConnectError::MemoryDisabled,
            ConnectError::tls_options("tls_ca", "it is cut off"),
            ConnectError::NoHost(vec![ConnectError::Closed]),
            ConnectError::Closed,
        ] {
            let cause = Cause::new(io::Error::other("reset"));
            assert_eq!(error.clone().caused_by(Some(cause)), error);
        }
    }
}
