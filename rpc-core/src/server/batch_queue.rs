//! The queue for batches of one method, as its server sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::contract::service::Method;
use crate::server::handler_latency::HandlerLatency;
use crate::wire::batch_route::queue_of;
use crate::wire::batching::{Batching, Mode};

/// Whether batches of a method are taken, and since when its callers believe so.
#[derive(Debug)]
pub(crate) struct BatchQueue {
    pub(crate) name: String,
    /// How many batches are taken at a time.
    pub(crate) prefetch: u16,
    is_open: AtomicBool,
    /// When a caller was last invited to send batches.
    invited: Mutex<Option<Instant>>,
    pub(crate) latency: HandlerLatency,
}

impl BatchQueue {
    /// `None` for a method that takes no batches.
    ///
    /// What a method's own queue promises beyond the usual (an order, a limit, replicas), and what few
    /// calls at a time mean, a queue beside it would not keep.
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

    /// Whether callers should send batches. Those that are invited may do so for a while.
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

/// A server takes this many times fewer batches at a time than it runs calls, so that the next batch is
/// there when one is done, also where few callers make small ones.
const PER_BATCH: u16 = 32;
