//! The options of a call, from the trait to the wire.

use std::time::Duration;

/// The options of a call. `#[rpc(..)]` on a method sets them for all its calls, the setters of
/// [`Call`](crate::Call) for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// How long the call may take; `None` means the default of the [`Rpc`](crate::Rpc).
    pub timeout: Option<Duration>,
    /// The call's priority in queues that support priorities, 0 to 255; `None` counts as 0.
    pub priority: Option<u8>,
    /// Whether the call may be resent although it may have run already.
    pub idempotent: bool,
    /// Whether the call ends once the broker has accepted it, without an answer.
    pub one_way: bool,
    /// Whether the broker confirms that the method's queue has accepted the call.
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
