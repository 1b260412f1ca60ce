//! Whether and how calls are sent in batches.

use std::time::Duration;

/// Whether and how calls are sent in batches. Set with
/// [`RpcBuilder::batching`](crate::RpcBuilder::batching).
///
/// Calls of one method that wait at the same time are sent as one message if a server of the method
/// consumes batches. Every server of this library does so for methods that answer fast. A lone call
/// is not delayed and is sent as a message of its own. Batching changes neither what a call does
/// nor how it ends, and peers in other languages see no difference.
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
    /// If several calls wait, and a server has announced that it consumes batches.
    Auto,
    Always,
}

impl Batching {
    /// Turns batching off: each call is a message of its own, and servers consume no batches.
    pub fn off() -> Self {
        Self {
            mode: Mode::Off,
            ..Self::default()
        }
    }

    /// Sends each call in a batch, even a lone one, whether or not a server is known to consume
    /// batches. This is for tests of batches; it gains nothing.
    #[doc(hidden)]
    pub fn always() -> Self {
        Self {
            mode: Mode::Always,
            ..Self::default()
        }
    }

    /// Sets how many calls a batch may hold, 1,024 at most. 0 counts as 1.
    ///
    /// Defaults to 256.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls.clamp(1, MOST_CALLS);
        self
    }

    /// Sets how many bytes of arguments a batch of calls may hold in total, and how many bytes of
    /// results a batch of replies, 512 KiB at most. The user's headers of a call count as well. A
    /// call that exceeds a quarter of this is sent alone.
    ///
    /// Defaults to 64 KiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.min(MOST_BYTES);
        self
    }

    /// Sets how long a call may wait for others while earlier calls are in flight. The timer counts
    /// in whole milliseconds, and may be one millisecond late.
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

/// How many calls, or replies, a batch may hold. A receiver takes no more.
pub(crate) const MOST_CALLS: usize = 1024;

/// With ids and time limits, that is less than what any receiver takes.
const MOST_BYTES: usize = 512 * 1024;

/// The limit of calls in flight already bounds how many calls wait. This bound only catches
/// mistakes: no sensible delay is longer.
const LONGEST_DELAY: Duration = Duration::from_secs(1);
