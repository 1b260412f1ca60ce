//! How long the broker may take, and how long names may be.

use std::time::Duration;

use lapin::types::ShortString;

/// The limit for each answer of the broker while something is set up or torn down. A live broker
/// answers within milliseconds. A cluster that is electing a leader may take seconds.
pub(super) const BROKER_LIMIT: Duration = Duration::from_secs(10);

/// A name for the wire. The callers have checked the length, or have it from the wire.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
