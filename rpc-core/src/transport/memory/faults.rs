//! The faults that a test injects into replies.

use std::time::Duration;

/// What happens to the next replies.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Whether a fault was ever requested.
    pub(super) any: bool,
    /// How many of the next replies are lost.
    pub(super) lose: usize,
    /// How many of the next replies that are not lost arrive twice.
    pub(super) duplicate: usize,
    /// How long every reply is delayed.
    pub(super) delay: Duration,
}

impl Faults {
    /// How many copies of the next reply arrive.
    pub(super) fn next_copies(&mut self) -> usize {
        if take_one(&mut self.lose) {
            0
        } else if take_one(&mut self.duplicate) {
            2
        } else {
            1
        }
    }
}

fn take_one(count: &mut usize) -> bool {
    let left = count.checked_sub(1);
    *count = left.unwrap_or_default();
    left.is_some()
}
