//! The batch lane: calls that wait at the same time travel together, and so do their replies.
//!
//! A broker's cost is per message. A server that takes batches has a queue for them beside that of each
//! method, and says so in its replies; a lone call, and every call of a plain peer, travels as before. A
//! batch is only a way to travel: deadlines, errors and redelivery are each call's own.
//!
//! On the way of a call: [`outbox`] gathers calls, [`sender`] sends them, [`inlet`] takes batches from the
//! broker, [`replies`] gathers what is answered. [`batch`] is the form they travel in.

use std::time::Duration;

use crate::message::{LANE_PREFIX, SHORT_STRING};
use crate::options::{MethodOptions, QueueOptions};

pub(crate) mod batch;
pub(crate) mod inlet;
pub(crate) mod options;
pub(crate) mod outbox;
pub(crate) mod pace;
pub(crate) mod replies;
pub(crate) mod sender;

/// The queue of the batches of a method; `None` if its name would be too long.
pub(crate) fn queue_of(method: &str) -> Option<String> {
    let fits = LANE_PREFIX.len() + method.len() <= SHORT_STRING;
    fits.then(|| format!("{LANE_PREFIX}{method}"))
}

/// Whether a method that is served like this takes batches. What its queue promises beyond the usual (an
/// order, a limit, replicas), and what few calls at a time mean, a lane beside it would not keep.
pub(crate) fn is_open_to(options: &MethodOptions) -> bool {
    let usual = options.queue.arguments.is_empty() && !options.queue.auto_delete;
    usual && usize::from(options.concurrency) >= FEWEST
}

/// How every lane is declared. It goes when no server has used it for a while; a server that comes back
/// before finds what was sent meanwhile.
pub(crate) fn queue_options() -> QueueOptions {
    QueueOptions::default().argument("x-expires", UNUSED_MILLIS)
}

/// How long a server's word counts that it takes batches, and the broker's that nobody does. Each reply
/// renews the former.
const BELIEVED: Duration = Duration::from_secs(1);

/// Below this concurrency a batch would hold what other servers could take.
const FEWEST: usize = 64;

/// Ten minutes.
const UNUSED_MILLIS: u32 = 600_000;
