//! The queue for batches of one method, as its server sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::contract::service::Method;
use crate::server::handler_latency::HandlerLatency;
use crate::wire::batch_route::queue_of;
use crate::wire::batching::{Batching, Mode};

/// The batch queue of a method: whether it is consumed, and when callers were last invited to use
/// it.
#[derive(Debug)]
pub(crate) struct BatchQueue {
    pub(crate) name: String,
    /// How many batches the server takes at a time.
    pub(crate) prefetch: u16,
    is_open: AtomicBool,
    /// When a caller was last invited to send batches.
    invited: Mutex<Option<Instant>>,
    pub(crate) latency: HandlerLatency,
}

impl BatchQueue {
    /// `None` for a method that does not accept batches.
    ///
    /// A second queue would not keep what unusual options of the method's own queue promise (an
    /// order, a limit, replicas), nor what a low concurrency means.
    pub(crate) fn of(method: &Method, batching: &Batching) -> Option<Self> {
        let options = &method.options;
        let is_usual = options.queue.arguments.is_empty() && !options.queue.auto_delete;
        if batching.mode == Mode::Off || !is_usual || options.concurrency < FEWEST {
            return None;
        }
        Some(Self {
            name: queue_of(&method.name)?,
            prefetch: options.concurrency / PER_BATCH,
            is_open: AtomicBool::new(false),
            invited: Mutex::default(),
            latency: HandlerLatency::default(),
        })
    }

    /// Whether callers should send batches. An invited caller may do so for a while.
    pub(crate) fn invites(&self, now: Instant) -> bool {
        let invites = self.is_open.load(Ordering::Relaxed) && self.latency.is_fast();
        if invites {
            let mut invited = self.invited.lock().unwrap_or_else(PoisonError::into_inner);
            *invited = Some(now);
        }
        invites
    }

    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn shut(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }

    pub(crate) fn last_invited(&self) -> Option<Instant> {
        *self.invited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Below this concurrency a batch would hold calls that other servers could run.
const FEWEST: u16 = 64;

/// A server takes one batch at a time for this many calls that it may run at a time. So the next
/// batch is there when one is done, even if few callers send small batches.
const PER_BATCH: u16 = 32;
