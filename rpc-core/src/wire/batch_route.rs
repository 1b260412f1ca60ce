//! The queues that batches travel through.
//!
//! A broker's cost is per message, so calls of one method that wait at the same time travel
//! together, and so do their replies. A server that accepts batches has a batch queue beside the
//! queue of each method, and says in its replies that it accepts them. A lone call, and every call
//! of a foreign peer, travels individually. A batch is only a way to travel: each call keeps its
//! own deadline, errors and redelivery.

use std::time::Duration;

use crate::wire::headers::SHORT_STRING;
use crate::wire::message::LANE_PREFIX;
use crate::wire::queue_options::QueueOptions;

/// The name of a method's batch queue; `None` if it would be too long.
pub(crate) fn queue_of(method: &str) -> Option<String> {
    let fits = LANE_PREFIX.len() + method.len() <= SHORT_STRING;
    fits.then(|| format!("{LANE_PREFIX}{method}"))
}

/// How every batch queue is declared. The broker deletes it when no server has used it for a while.
/// A server that comes back before that finds what was sent meanwhile.
pub(crate) fn queue_options() -> QueueOptions {
    QueueOptions::default().argument("x-expires", UNUSED_MILLIS)
}

/// How long a caller believes a server that says it accepts batches, and the broker that says
/// nobody does. Each reply renews the former.
pub(crate) const BELIEVED: Duration = Duration::from_secs(1);

/// After how long without a server the broker deletes a batch queue: ten minutes.
const UNUSED_MILLIS: u32 = 600_000;
