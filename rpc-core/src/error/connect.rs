//! Every way connecting can fail.

use thiserror::Error;

/// Why there is no connection.
#[derive(Clone, Debug, Error)]
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
    TlsDisabled {
        /// Host and port.
        host: String,
    },

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
    },

    /// The host cannot be reached, or does not speak what the URL says.
    #[error("cannot connect to {host}: {reason}")]
    #[non_exhaustive]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened.
        reason: String,
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
    },

    /// None of several hosts could be used.
    #[error("no host could be used: {}", each(.0))]
    NoHost(Vec<Self>),

    /// The [`Rpc`](crate::Rpc) was closed.
    #[error("this Rpc is closed")]
    Closed,
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
