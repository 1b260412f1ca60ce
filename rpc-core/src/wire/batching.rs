//! Whether and how calls travel together.

use std::time::Duration;

/// Whether and how calls travel together: set by [`RpcBuilder::batching`](crate::RpcBuilder::batching).
///
/// Calls of one method that wait at the same time travel as one message where a server of the method takes
/// such batches, which every server of this library does for methods that answer fast. A call that is alone
/// is not delayed, and travels as a message of its own. What a call does, and how it ends, is the same
/// either way; so is what peers in other languages see.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Batching {
    pub(crate) mode: Mode,
    pub(crate) max_calls: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_delay: Duration,
}

/// When calls travel in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Off,
    /// When several wait, and a server said that it takes batches.
    Auto,
    Always,
}

impl Batching {
    /// No call travels with another, and servers take no batches.
    pub fn off() -> Self {
        Self {
            mode: Mode::Off,
            ..Self::default()
        }
    }

    /// Each call travels in a batch, even a lone one, whether or not a server is known that takes it. For
    /// tests of that way; it gains nothing.
    #[doc(hidden)]
    pub fn always() -> Self {
        Self {
            mode: Mode::Always,
            ..Self::default()
        }
    }

    /// Sets how many calls may travel together, 1,024 at most. 0 counts as 1.
    ///
    /// Defaults to 256.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls.clamp(1, MOST_CALLS);
        self
    }

    /// Sets how many bytes the arguments of calls that travel together may have in all, and likewise their
    /// results. A call with more than a quarter of it travels alone.
    ///
    /// Defaults to 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how long a call may wait for others while some are on their way. The timer counts in whole
    /// milliseconds, and may be one late.
    ///
    /// Defaults to 1 ms.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay.min(LONGEST_DELAY);
        self
    }
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            max_calls: 256,
            max_bytes: 64 * 1024,
            max_delay: Duration::from_millis(1),
        }
    }
}

const MOST_CALLS: usize = 1024;

/// Calls that wait are bounded by those in flight, not by time; still, nobody means more than this.
const LONGEST_DELAY: Duration = Duration::from_secs(1);
