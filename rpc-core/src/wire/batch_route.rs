//! The queues that batches travel through.
//!
//! A broker's cost is per message, so calls of one method that wait at the same time travel together, and
//! so do their replies. A server that takes batches has a queue for them beside that of each method, and
//! says so in its replies. A lone call, and every call of a foreign peer, travels by itself. A batch is
//! only a way to travel: deadlines, errors and redelivery stay each call's own.

use std::time::Duration;

use crate::wire::headers::SHORT_STRING;
use crate::wire::message::LANE_PREFIX;
use crate::wire::queue_options::QueueOptions;

/// The queue of the batches of a method; `None` if its name would be too long.
pub(crate) fn queue_of(method: &str) -> Option<String> {
    let fits = LANE_PREFIX.len() + method.len() <= SHORT_STRING;
    fits.then(|| format!("{LANE_PREFIX}{method}"))
}

/// How every such queue is declared. It goes when no server has used it for a while; a server that comes back
/// before finds what was sent meanwhile.
pub(crate) fn queue_options() -> QueueOptions {
    QueueOptions::default().argument("x-expires", UNUSED_MILLIS)
}

/// How long a server's word counts that it takes batches, and the broker's that nobody does. Each reply
/// renews the former.
pub(crate) const BELIEVED: Duration = Duration::from_secs(1);

/// Ten minutes.
const UNUSED_MILLIS: u32 = 600_000;
