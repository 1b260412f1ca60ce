//! What lapin's errors say: their text, and the cause behind them.

use std::sync::Arc;

use lapin::ErrorKind;

use crate::error::cause::Cause;
use crate::error::reason::Reason;

/// Why an attempt to connect failed.
pub(super) struct ConnectFailure {
    pub(super) error: lapin::Error,
    /// Whether it failed after a TLS handshake.
    pub(super) after_handshake: bool,
    /// Whether the broker asked for a certificate in it.
    #[cfg(feature = "tls")]
    pub(super) certificate_asked: bool,
}

/// The text of a lapin error: the broker's own text if there is one.
pub(super) fn words(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    }
}

/// The text of a lapin error, with the cause behind it.
pub(super) fn reason(error: &lapin::Error) -> Reason {
    Reason::new(words(error), cause(error))
}

/// The cause of a lapin error, or the error itself. An error of rustls is wrapped in one of the system,
/// which does not show it.
pub(super) fn cause(error: &lapin::Error) -> Cause {
    let ErrorKind::IOError(io) = error.kind() else {
        return Cause::new(error.clone());
    };
    #[cfg(feature = "tls")]
    if let Some(rustls) = io
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return Cause::new(rustls.clone());
    }
    Cause::shared(Arc::clone(io))
}
