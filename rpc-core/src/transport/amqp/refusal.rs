//! Hosts that cannot be reached, or refuse a login, in words that say where to look.

use std::borrow::Cow;
use std::io;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::AMQPScheme;

use super::url::Host;
use super::words;
use crate::error::connect::ConnectError;

/// Why there is no connection, where TLS is not the reason.
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
        return ConnectError::Refused {
            host: host.name.clone(),
            user: host.user.clone(),
            vhost: host.uri.vhost.clone(),
            reason,
        };
    }
    ConnectError::Unreachable {
        host: host.name.clone(),
        reason: format!("{reason}{}", hint(host, error)),
    }
}

/// What to look at when a host cannot be reached.
fn hint(host: &Host, error: &lapin::Error) -> Cow<'static, str> {
    let hint = match error.kind() {
        // RabbitMQ says nothing to who asks for a mechanism that it does not know.
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            let Some(mechanism) = host.uri.query.auth_mechanism else {
                return tls_hint(host).into();
            };
            return format!(
                " (does the broker offer the login {mechanism}? EXTERNAL is that of its plugin \
                 rabbitmq_auth_mechanism_ssl)"
            )
            .into();
        }
        ErrorKind::IOError(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            " (is RabbitMQ running there?)"
        }
        // The standard library has no kind for it.
        ErrorKind::IOError(error) if error.to_string().contains("lookup") => {
            " (check the host's name)"
        }
        // It has spoken AMQP.
        ErrorKind::ProtocolError(_) => "",
        _ => tls_hint(host),
    };
    hint.into()
}

/// The most common reason why a port answers and yet makes no sense.
pub(super) fn tls_hint(host: &Host) -> &'static str {
    match host.uri.scheme {
        AMQPScheme::AMQP => " (if this is a TLS port, the URL must start with amqps://)",
        AMQPScheme::AMQPS => {
            " (if this is no TLS port, which is usually 5671, the URL must start with amqp://)"
        }
    }
}
