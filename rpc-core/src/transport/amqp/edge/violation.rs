//! What a broker must not send.

use std::io;

/// What the broker must not send. It ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(super) &'static str);

impl From<Violation> for io::Error {
    fn from(Violation(words): Violation) -> Self {
        Self::new(io::ErrorKind::InvalidData, words)
    }
}
