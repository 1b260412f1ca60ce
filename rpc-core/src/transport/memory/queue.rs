//! One queue: what waits in it, who takes from it, and what has to leave it. It decides; the broker's
//! state acts on what it decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::arguments::{Limits, Overflow, equivalent};
use crate::message::Message;
use crate::options::QueueOptions;

/// A queue between operations never has both a ready message and a consumer with free capacity.
#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    options: QueueOptions,
    limits: Limits,
    ready: BTreeMap<Position, Held>,
    /// Bytes of all bodies in `ready`.
    ready_bytes: usize,
    arrivals: u64,
    consumers: HashMap<ConsumerId, Consumer>,
    /// Consumers with free capacity, the next one in front.
    free: VecDeque<ConsumerId>,
    unused_since: Instant,
    /// When the broker looks at this queue next without being asked; kept by the broker.
    pub(super) alarm: Option<Instant>,
}

/// Where a message stands in its queue: higher priorities first, then by arrival. It keeps its place
/// while a consumer has it, so that it can return there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    priority: Reverse<u8>,
    arrival: u64,
}

/// A message in a queue, or taken from it and not yet settled.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) redelivered: bool,
    expires: Option<Instant>,
}

/// A message on its way to a consumer.
#[derive(Debug)]
pub(super) struct Handout {
    pub(super) consumer: ConsumerId,
    pub(super) channel: ChannelId,
    pub(super) position: Position,
    pub(super) held: Held,
}

#[derive(Debug)]
struct Consumer {
    channel: ChannelId,
    /// The most unsettled messages; 0 is no limit.
    prefetch: u16,
    unsettled: usize,
}

pub(super) type ConsumerId = u64;
pub(super) type ChannelId = u64;

impl Queue {
    /// The error is the broker's reason for refusing the declaration.
    pub(super) fn declare(
        name: &str,
        options: &QueueOptions,
        now: Instant,
    ) -> Result<Self, String> {
        Ok(Self {
            name: name.to_owned(),
            options: options.clone(),
            limits: Limits::of(name, options)?,
            ready: BTreeMap::new(),
            ready_bytes: 0,
            arrivals: 0,
            consumers: HashMap::new(),
            free: VecDeque::new(),
            unused_since: now,
            alarm: None,
        })
    }

    /// Declares a queue that exists. The error is the broker's reason for refusing that.
    pub(super) fn redeclare(&mut self, options: &QueueOptions, now: Instant) -> Result<(), String> {
        Limits::of(&self.name, options)?;
        equivalent(&self.name, &self.options, options)?;
        self.unused_since = now;
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn durable(&self) -> bool {
        self.options.durable
    }

    /// How many messages are ready.
    pub(super) fn depth(&self) -> usize {
        self.ready.len()
    }

    /// Whether the queue goes now that a consumer has left.
    pub(super) fn abandoned(&self) -> bool {
        self.options.auto_delete && self.consumers.is_empty()
    }

    /// Whether the queue goes because nobody has used it for too long.
    pub(super) fn outlived(&self, now: Instant) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// When messages or the queue itself have to leave next.
    pub(super) fn due(&self) -> Option<Instant> {
        let head = self
            .ready
            .first_key_value()
            .and_then(|(_, held)| held.expires);
        head.into_iter().chain(self.end()).min()
    }

    /// How this queue refuses a message of that size instead of making room for it.
    pub(super) fn refuses(&self, bytes: usize) -> Option<Overflow> {
        let overflow = self.limits.overflow;
        let full = overflow != Overflow::DropHead && self.exceeds(1, bytes);
        full.then_some(overflow)
    }

    /// Puts a new message at the end of its priority.
    pub(super) fn push(&mut self, message: Message, now: Instant) {
        self.arrivals += 1;
        let priority = message.priority.unwrap_or(0).min(self.limits.top_priority);
        let position = Position {
            priority: Reverse(priority),
            arrival: self.arrivals,
        };
        let expiration = message.expiration.map(whole_milliseconds);
        let time_to_live = expiration.into_iter().chain(self.limits.time_to_live).min();
        let held = Held {
            message,
            redelivered: false,
            // What overflows the clock never expires.
            expires: time_to_live.and_then(|time| now.checked_add(time)),
        };
        self.insert(position, held);
    }

    /// Puts a message that was not settled back to where it stood. Its time has run on meanwhile.
    pub(super) fn requeue(&mut self, position: Position, mut held: Held) {
        held.redelivered = true;
        self.insert(position, held);
    }

    /// Takes the head out if more waits than may wait.
    pub(super) fn overflow(&mut self) -> Option<Message> {
        self.exceeds(0, 0)
            .then(|| self.pop())
            .flatten()
            .map(|(_, held)| held.message)
    }

    /// Takes the head out if its time is over. Only the head: what expires behind it has to wait.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Message> {
        let (_, head) = self.ready.first_key_value()?;
        let expired = head.expires.is_some_and(|at| at <= now);
        expired
            .then(|| self.pop())
            .flatten()
            .map(|(_, held)| held.message)
    }

    /// Gives the head to the next consumer in turn that has free capacity.
    pub(super) fn hand_out(&mut self) -> Option<Handout> {
        let id = *self.free.front()?;
        let (position, held) = self.pop()?;
        self.free.pop_front();
        let consumer = self.consumers.get_mut(&id)?;
        consumer.unsettled += 1;
        if !consumer.full() {
            self.free.push_back(id);
        }
        Some(Handout {
            consumer: id,
            channel: consumer.channel,
            position,
            held,
        })
    }

    /// Frees the capacity that an unsettled message took. The consumer may have left.
    pub(super) fn settled(&mut self, id: ConsumerId) {
        let Some(consumer) = self.consumers.get_mut(&id) else {
            return;
        };
        let was_full = consumer.full();
        consumer.unsettled = consumer.unsettled.saturating_sub(1);
        if was_full {
            self.free.push_back(id);
        }
    }

    pub(super) fn join(&mut self, id: ConsumerId, channel: ChannelId, prefetch: u16) {
        let consumer = Consumer {
            channel,
            prefetch,
            unsettled: 0,
        };
        self.consumers.insert(id, consumer);
        self.free.push_back(id);
    }

    pub(super) fn leave(&mut self, id: ConsumerId, now: Instant) {
        let Some(consumer) = self.consumers.remove(&id) else {
            return;
        };
        if !consumer.full() {
            self.free.retain(|free| *free != id);
        }
        self.unused_since = now;
    }

    /// Forgets the messages that do not survive a restart of the broker.
    pub(super) fn restart(&mut self) {
        self.ready.retain(|_, held| held.message.persistent);
        self.ready_bytes = self
            .ready
            .values()
            .map(|held| held.message.body.len())
            .sum();
    }

    fn exceeds(&self, more: usize, more_bytes: usize) -> bool {
        let Limits { length, bytes, .. } = self.limits;
        length.is_some_and(|most| self.ready.len() + more > most)
            || bytes.is_some_and(|most| self.ready_bytes + more_bytes > most)
    }

    fn end(&self) -> Option<Instant> {
        let unused = self.limits.unused.filter(|_| self.consumers.is_empty())?;
        self.unused_since.checked_add(unused)
    }

    fn insert(&mut self, position: Position, held: Held) {
        self.ready_bytes += held.message.body.len();
        self.ready.insert(position, held);
    }

    fn pop(&mut self) -> Option<(Position, Held)> {
        let (position, held) = self.ready.pop_first()?;
        self.ready_bytes -= held.message.body.len();
        Some((position, held))
    }
}

impl Consumer {
    fn full(&self) -> bool {
        self.prefetch != 0 && self.unsettled >= usize::from(self.prefetch)
    }
}

/// As the expiration travels on the wire.
pub(super) fn whole_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
