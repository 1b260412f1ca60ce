//! Deliveries that may have ended a connection when they were answered.
//!
//! All that is published has passed a gate, so the broker should find no fault with it. If it does
//! all the same, it ends the connection, and delivers what was unsettled again. Answered again in
//! the same way, one such message would end every connection of every server, for ever.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::wire::message::Message;

/// The suspects of all connections of a transport.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// At most [`MOST`].
    known: Mutex<FxHashSet<Identity>>,
}

/// Tells a call from others, also when it is delivered again or copied. Calls without a correlation
/// id have the same.
pub(super) type Identity = u64;

pub(super) fn identity_of(message: &Message) -> Identity {
    FxBuildHasher.hash_one(&message.correlation_id)
}

impl Suspects {
    /// Notes what was answered and not settled when a channel ended, if the broker ended it for
    /// something that it was sent.
    pub(super) fn note(&self, error: &lapin::Error, unsettled: impl IntoIterator<Item = Identity>) {
        if !blames_us(error) {
            return;
        }
        let mut known = self.lock();
        for identity in unsettled {
            if known.len() == MOST {
                return;
            }
            known.insert(identity);
        }
    }

    /// Whether a message that is delivered again is one of them.
    pub(super) fn contains(&self, message: &Message) -> bool {
        let known = self.lock();
        !known.is_empty() && known.contains(&identity_of(message))
    }

    fn lock(&self) -> MutexGuard<'_, FxHashSet<Identity>> {
        // No code that can panic runs under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the broker ended the connection for a frame that it could not use.
fn blames_us(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return false;
    };
    matches!(
        error.kind(),
        AMQPErrorKind::Hard(
            AMQPHardError::FRAMEERROR
                | AMQPHardError::SYNTAXERROR
                | AMQPHardError::COMMANDINVALID
                | AMQPHardError::UNEXPECTEDFRAME
                | AMQPHardError::INTERNALERROR
        )
    )
}

/// Further suspects are not noted. So many are no accident.
const MOST: usize = 65_536;

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPSoftError};

    use super::*;

    #[test]
    fn only_what_was_unsettled_when_the_broker_found_fault_is_suspected() {
        let suspects = Suspects::default();
        let call = |id: &str| Message {
            correlation_id: Some(id.into()),
            ..Message::default()
        };
        let ended = |kind: AMQPErrorKind| -> lapin::Error {
            ErrorKind::ProtocolError(AMQPError::new(kind, "text".into())).into()
        };
        let unsettled = || [identity_of(&call("a"))];
        suspects.note(
            &ended(AMQPSoftError::PRECONDITIONFAILED.into()),
            unsettled(),
        );
        suspects.note(&ended(AMQPHardError::CONNECTIONFORCED.into()), unsettled());
        assert!(!suspects.contains(&call("a")));
        suspects.note(&ended(AMQPHardError::INTERNALERROR.into()), unsettled());
        assert!(suspects.contains(&call("a")));
        assert!(!suspects.contains(&call("b")));
    }
}
