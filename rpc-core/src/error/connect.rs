//! Every way connecting can fail.

use thiserror::Error;

use crate::error::cause::Cause;

/// Why there is no connection.
///
/// `reason` says in words what happened. Where another library's error was behind it,
/// [`source`](std::error::Error::source) gives that. Each variant with fields has a constructor of its name, for tests.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one of `amqp://`, `amqps://` or `memory://`. A password in it is not shown.
    #[error("`{url}` is no URL of a broker: {reason}")]
    #[non_exhaustive]
    InvalidUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The URL asks for TLS, and this build has none.
    #[error("cannot connect to {host}: `amqps` needs the feature `tls` of rpc-core, which is off")]
    #[non_exhaustive]
    TlsDisabled {
        /// Host and port.
        host: String,
    },

    /// The URL is `memory://`, and this build has no such broker.
    #[error("cannot connect to memory://: it needs the feature `memory` of rpc-core, which is off")]
    MemoryDisabled,

    /// An option of TLS cannot be used: a PEM that holds no certificate or no key, or one that does not fit the
    /// URL. The key is never shown.
    #[error("cannot use `{option}`: {reason}")]
    #[non_exhaustive]
    TlsOptions {
        /// The option of [`RpcBuilder`](crate::RpcBuilder).
        option: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The host speaks TLS, and one side does not trust the other: its certificate has an issuer that is not
    /// trusted, is for another host, or has expired; or the broker does not accept ours.
    #[error("no TLS with {host}: {reason}")]
    #[non_exhaustive]
    Tls {
        /// Host and port.
        host: String,
        /// What happened, and what to do about it.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The host cannot be reached, or does not speak what the URL says.
    #[error("cannot connect to {host}: {reason}")]
    #[non_exhaustive]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The broker refused the user, the password, the client certificate or the virtual host.
    #[error("{host} refused {} on virtual host `{vhost}`: {reason}", whom(.user))]
    #[non_exhaustive]
    Refused {
        /// Host and port.
        host: String,
        /// The name that was used to log in; `None` if only the client certificate says it.
        user: Option<String>,
        /// The virtual host.
        vhost: String,
        /// The broker's words.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// The connection stands, but what a caller needs on it could not be set up.
    #[error("{host} refused to set up {what}: {reason}")]
    #[non_exhaustive]
    Setup {
        /// Host and port.
        host: String,
        /// The queue or exchange.
        what: String,
        /// The broker's words.
        reason: String,
        /// The error behind it, if there is one.
        #[source]
        source: Option<Cause>,
    },

    /// None of several hosts could be used; for each, why.
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

    /// The same, with the error behind it, where the variant keeps one.
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
