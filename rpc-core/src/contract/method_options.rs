//! How a method is served, and the longest time limit.

use std::time::Duration;

use crate::wire::queue_options::QueueOptions;

/// How one method is served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MethodOptions {
    /// Whether a call that may already have run may run again.
    pub(crate) idempotent: bool,
    /// How many calls of the method one server runs at a time. Also the consumer's prefetch.
    pub(crate) concurrency: u16,
    pub(crate) queue: QueueOptions,
    /// The queue for poison and unreadable calls.
    pub(crate) dead_letters: Option<String>,
}

impl Default for MethodOptions {
    fn default() -> Self {
        Self {
            idempotent: false,
            concurrency: DEFAULT_CONCURRENCY,
            queue: QueueOptions::default(),
            dead_letters: None,
        }
    }
}

/// RabbitMQ's documentation recommends a prefetch of 100 to 300 for fast handlers.
pub(crate) const DEFAULT_CONCURRENCY: u16 = 256;

/// The cap of time limits and grace periods: a year, with which no timer overflows.
pub(crate) const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
