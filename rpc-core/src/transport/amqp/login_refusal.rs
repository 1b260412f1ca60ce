//! Errors of hosts that cannot be reached or refuse a login, with hints at the cause.

use std::borrow::Cow;
use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPScheme;

use super::failure::{cause, words};
use super::url::Host;
use crate::error::connect::ConnectError;

/// Why connecting failed, when TLS is not the reason.
pub(super) fn refusal(host: &Host, error: &lapin::Error) -> ConnectError {
    let reason = words(error);
    let refused = matches!(
        error.kind(),
        ErrorKind::ProtocolError(error) if matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
        )
    );
    if refused {
        let (user, vhost) = (host.user.clone(), &*host.uri.vhost);
        return ConnectError::refused(&host.name, user, vhost, reason)
            .caused_by(Some(cause(error)));
    }
    let reason = format!("{reason}{}", hint(host, error));
    ConnectError::unreachable(&host.name, reason).caused_by(Some(cause(error)))
}

/// A hint at the cause when a host cannot be reached.
fn hint(host: &Host, error: &lapin::Error) -> Cow<'static, str> {
    let hint = match error.kind() {
        // RabbitMQ closes the connection without a reason if it does not know the login mechanism.
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            let Some(mechanism) = host.uri.query.auth_mechanism else {
                return tls_hint(host).into();
            };
            return format!(
                " (does the broker offer the login mechanism {mechanism}? EXTERNAL needs the plugin \
                 rabbitmq_auth_mechanism_ssl)"
            )
            .into();
        }
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            " (is RabbitMQ running there?)"
        }
        // The standard library has no error kind for a failed name lookup.
        ErrorKind::IOError(error) if error.to_string().contains("lookup") => {
            " (check the host's name)"
        }
        // The host speaks AMQP, so its own text is enough.
        ErrorKind::ProtocolError(_) => "",
        _ => tls_hint(host),
    };
    hint.into()
}

/// The most common reason why a port answers, but not in AMQP.
pub(super) fn tls_hint(host: &Host) -> &'static str {
    match host.uri.scheme {
        AMQPScheme::AMQP => " (if this is a TLS port, the URL must start with amqps://)",
        AMQPScheme::AMQPS => {
            " (if this is not a TLS port (usually 5671), the URL must start with amqp://)"
        }
    }
}
