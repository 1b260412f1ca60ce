//! What the broker does wrong to replies, as its owner asks.

use std::time::Duration;

/// How the next replies fare.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Whether any was asked for so far.
    pub(super) any: bool,
    /// How many are lost.
    pub(super) lose: usize,
    /// How many of those that are not lost arrive twice.
    pub(super) duplicate: usize,
    /// How long all of them take.
    pub(super) delay: Duration,
}

impl Faults {
    /// How often the next reply arrives.
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
