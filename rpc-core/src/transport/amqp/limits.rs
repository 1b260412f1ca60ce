//! How long the broker may take, and how long names may be.

use std::time::Duration;

use lapin::Connection;
use lapin::types::ShortString;

use crate::wire::outbound::FRAME_OVERHEAD;

/// The limit for each answer of the broker while something is set up or torn down. A live broker
/// answers within milliseconds. A cluster that is electing a leader may take seconds.
pub(super) const BROKER_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes the properties of a message may take on a connection. A broker may set no limit.
pub(super) fn frame_of(connection: &Connection) -> usize {
    let size = match connection.configuration().frame_max() {
        0 => usize::MAX,
        size => usize::try_from(size).unwrap_or(usize::MAX),
    };
    size.saturating_sub(FRAME_OVERHEAD)
}

/// A name for the wire. The callers have checked the length, or have it from the wire.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
