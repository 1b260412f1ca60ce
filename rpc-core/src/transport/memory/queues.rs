//! All queues of a broker, and how they are declared and deleted.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::alarms::Alarms;
use super::queue::{Queue, QueueId};
use crate::transport::TakeReply;
use crate::wire::message::Incoming;
use crate::wire::queue_options::QueueOptions;

#[derive(Debug)]
pub(super) struct Queues {
    ids: FxHashMap<String, QueueId>,
    last_id: QueueId,
    /// The queues of methods.
    pub(super) methods: FxHashMap<QueueId, Queue>,
    /// The reply queues of callers. Each has one consumer, which takes every message at once and
    /// acknowledges none, so nothing ever waits there.
    pub(super) replies: ReplyQueues,
    pub(super) alarms: Alarms,
}

/// By name.
pub(super) type ReplyQueues = FxHashMap<String, ReplyQueue>;

/// The reply queue of one caller.
pub(super) struct ReplyQueue {
    all: UnboundedSender<Arriving>,
    /// Takes replies directly, bypassing the stream.
    pub(super) take: Option<TakeReply>,
}

impl ReplyQueue {
    pub(super) fn new(all: UnboundedSender<Arriving>) -> Self {
        Self { all, take: None }
    }

    /// Drops the message if the caller has stopped listening.
    pub(super) fn send(&self, due: Option<Instant>, incoming: Incoming) {
        let _ = self.all.send((due, incoming));
    }
}

impl fmt::Debug for ReplyQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyQueue").finish_non_exhaustive()
    }
}

/// A message for a caller, and when it is due if not at once.
pub(super) type Arriving = (Option<Instant>, Incoming);

impl Queues {
    pub(super) fn new(alarm_moved: Arc<Notify>) -> Self {
        Self {
            ids: FxHashMap::default(),
            last_id: 0,
            methods: FxHashMap::default(),
            replies: FxHashMap::default(),
            alarms: Alarms::new(alarm_moved),
        }
    }

    pub(super) fn id(&self, name: &str) -> Option<QueueId> {
        self.ids.get(name).copied()
    }

    /// Declares the queue of a method. The error is the broker's reason for refusing it.
    pub(super) fn declare(
        &mut self,
        name: &str,
        options: &QueueOptions,
        now: Instant,
    ) -> Result<QueueId, String> {
        if self.replies.contains_key(name) {
            return Err(format!(
                "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. \
                 It could be originally declared on another connection or the exclusive property value \
                 does not match that of the original declaration."
            ));
        }
        if let Some(id) = self.id(name) {
            if let Some(queue) = self.methods.get_mut(&id) {
                queue.redeclare(options, now)?;
            }
            return Ok(id);
        }
        if name.starts_with("amq.") {
            return Err(format!(
                "ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"
            ));
        }
        let queue = Queue::declare(name, options, now)?;
        self.last_id += 1;
        self.methods.insert(self.last_id, queue);
        self.ids.insert(name.to_owned(), self.last_id);
        Ok(self.last_id)
    }

    /// Deletes the queue of a method with all messages in it.
    pub(super) fn remove(&mut self, id: QueueId) {
        let Some(queue) = self.methods.remove(&id) else {
            return;
        };
        self.ids.remove(queue.name());
        self.alarms.clear(id);
    }

    /// Deletes the queues and messages that do not survive a restart of the broker.
    pub(super) fn restart(&mut self) {
        let transient = |(id, queue): (&QueueId, &Queue)| (!queue.durable()).then_some(*id);
        let transient: Vec<_> = self.methods.iter().filter_map(transient).collect();
        for id in transient {
            self.remove(id);
        }
        for (id, queue) in &mut self.methods {
            queue.restart();
            if let Some(due) = queue.due() {
                self.alarms.set(*id, due);
            }
        }
    }

    /// The number of ready messages in a queue.
    pub(super) fn depth(&self, name: &str) -> Option<usize> {
        if self.replies.contains_key(name) {
            return Some(0);
        }
        self.methods.get(&self.id(name)?).map(Queue::depth)
    }

    /// The number of ready messages in the queue of a method, and the number of its consumers.
    pub(super) fn status(&self, name: &str) -> Option<(usize, usize)> {
        let queue = self.methods.get(&self.id(name)?)?;
        Some((queue.depth(), queue.consumers()))
    }

    /// The names of all queues, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.ids.keys().chain(self.replies.keys());
        let mut names: Vec<_> = names.cloned().collect();
        names.sort_unstable();
        names
    }
}
