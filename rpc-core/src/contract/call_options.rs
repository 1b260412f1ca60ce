//! How a call is made, from the trait to the wire.

use std::time::Duration;

/// The options of a call: what `#[rpc(..)]` on a method sets for all its calls, and the setters of
/// [`Call`](crate::Call) for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// How long the call may take; `None` is the default of the [`Rpc`](crate::Rpc).
    pub timeout: Option<Duration>,
    /// Its priority in queues that have priorities, 0 to 255; `None` counts as 0.
    pub priority: Option<u8>,
    /// Whether it may be sent again after it may have run.
    pub idempotent: bool,
    /// Whether it ends when the broker has taken it, without an answer.
    pub one_way: bool,
    /// Whether the broker confirms that the method's queue has it.
    pub confirmed: bool,
}

impl CallOptions {
    /// No option is set.
    pub(crate) const DEFAULT: Self = Self {
        timeout: None,
        priority: None,
        idempotent: false,
        one_way: false,
        confirmed: false,
    };
}
