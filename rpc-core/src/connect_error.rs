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

    /// The host cannot be reached, or does not speak what the URL says.
    #[error("cannot connect to {host}: {reason}")]
    #[non_exhaustive]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened.
        reason: String,
    },

    /// The broker refused the user, the password or the virtual host.
    #[error("{host} refused user `{user}` on virtual host `{vhost}`: {reason}")]
    #[non_exhaustive]
    Refused {
        /// Host and port.
        host: String,
        /// The name that was used to log in.
        user: String,
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

fn each(errors: &[ConnectError]) -> String {
    let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
    words.join("; ")
}
