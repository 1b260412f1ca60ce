//! One queue: the messages that wait in it, and those that have to leave it. This module only
//! decides; the broker's state acts on the decisions.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::arguments::{Overflow, QueueLimits, equivalent};
use super::consumers::{ChannelId, ConsumerId, Consumers};
use crate::wire::message::Message;
use crate::wire::queue_options::QueueOptions;

/// A queue at rest never has both a ready message and a consumer with free capacity.
#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    options: QueueOptions,
    limits: QueueLimits,
    ready: BTreeMap<Position, Held>,
    /// Bytes of all bodies in `ready`.
    ready_bytes: usize,
    arrivals: u64,
    consumers: Consumers,
    unused_since: Instant,
}

/// Never reused, so that a message taken from a queue cannot return to a later queue of the same
/// name.
pub(super) type QueueId = u64;

/// The place of a message in its queue: by priority, highest first, then by arrival. A message
/// keeps its place while a consumer holds it, so that it can return there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    priority: Reverse<u8>,
    arrival: u64,
}

/// A message that is in a queue, or was taken from it and is not settled yet.
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

impl Queue {
    /// The error is the broker's reason for refusing the declaration.
    pub(super) fn declare(
        name: &str,
        options: &QueueOptions,
        now: Instant,
    ) -> Result<Self, String> {
        let limits = QueueLimits::of(name, options)?;
        Ok(Self {
            name: name.to_owned(),
            options: options.clone(),
            ready: BTreeMap::new(),
            ready_bytes: 0,
            arrivals: 0,
            consumers: Consumers::new(limits.single_active_consumer),
            limits,
            unused_since: now,
        })
    }

    /// Redeclares an existing queue. The error is the broker's reason for refusing it.
    pub(super) fn redeclare(&mut self, options: &QueueOptions, now: Instant) -> Result<(), String> {
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

    /// The number of ready messages.
    pub(super) fn depth(&self) -> usize {
        self.ready.len()
    }

    /// The number of consumers.
    pub(super) fn consumers(&self) -> usize {
        self.consumers.len()
    }

    /// Whether the queue must be deleted because its last consumer has left. A server that
    /// declares a queue consumes from it at once, so a queue without consumers has lost its last
    /// one.
    pub(super) fn abandoned(&self) -> bool {
        self.options.auto_delete && self.consumers.is_empty()
    }

    /// Whether the queue must be deleted because it had no consumer for too long.
    pub(super) fn outlived(&self, now: Instant) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// When the message at the head, or the queue itself, expires.
    pub(super) fn due(&self) -> Option<Instant> {
        let head = self.ready.first_key_value();
        let expires = head.and_then(|(_, head)| head.expires);
        expires.into_iter().chain(self.end()).min()
    }

    /// How the queue refuses a message of that size, or `None` if it takes it.
    pub(super) fn refuses(&self, bytes: usize) -> Option<Overflow> {
        let overflow = self.limits.overflow;
        let refuses = overflow != Overflow::DropHead && self.exceeds(1, bytes);
        refuses.then_some(overflow)
    }

    /// Gives a new message to the next consumer in turn, even if the message expires at once. If
    /// no consumer has free capacity, puts it behind the messages of its priority. A consumer with
    /// free capacity means that no other message is ready, so none is overtaken.
    pub(super) fn push(&mut self, message: Message, now: Instant) -> Option<Handout> {
        self.arrivals += 1;
        let priority = message.priority.unwrap_or(0).min(self.limits.top_priority);
        let position = Position {
            priority: Reverse(priority),
            arrival: self.arrivals,
        };
        let expiration = message.expiration.map(whole_milliseconds);
        let lives = expiration.into_iter().chain(self.limits.time_to_live).min();
        let held = Held {
            message,
            redelivered: false,
            // An expiry beyond the clock's range never comes.
            expires: lives.and_then(|lives| now.checked_add(lives)),
        };
        let Some((consumer, channel)) = self.consumers.take() else {
            self.insert(position, held);
            return None;
        };
        Some(Handout {
            consumer,
            channel,
            position,
            held,
        })
    }

    /// Returns an unsettled message to its place. Its expiry has not been extended.
    pub(super) fn requeue(&mut self, position: Position, mut held: Held) {
        held.redelivered = true;
        self.insert(position, held);
    }

    /// Removes the head if the queue exceeds its limits.
    pub(super) fn overflow(&mut self) -> Option<Message> {
        let exceeds = self.exceeds(0, 0);
        exceeds
            .then(|| self.pop())
            .flatten()
            .map(|(_, head)| head.message)
    }

    /// Removes the head if it has expired. Expired messages behind it stay until they are the
    /// head.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Message> {
        let (_, head) = self.ready.first_key_value()?;
        let expired = head.expires.is_some_and(|at| at <= now);
        expired
            .then(|| self.pop())
            .flatten()
            .map(|(_, head)| head.message)
    }

    /// Gives the head to the next consumer in turn, if one has free capacity.
    pub(super) fn hand_out(&mut self) -> Option<Handout> {
        if self.ready.is_empty() {
            return None;
        }
        let (consumer, channel) = self.consumers.take()?;
        let (position, held) = self.pop()?;
        Some(Handout {
            consumer,
            channel,
            position,
            held,
        })
    }

    /// Frees the capacity that an unsettled message took.
    pub(super) fn settled(&mut self, consumer: ConsumerId) {
        self.consumers.settled(consumer);
    }

    pub(super) fn join(&mut self, consumer: ConsumerId, channel: ChannelId, prefetch: u16) {
        self.consumers.join(consumer, channel, prefetch);
    }

    pub(super) fn leave(&mut self, consumer: ConsumerId, now: Instant) {
        self.consumers.leave(consumer);
        self.unused_since = now;
    }

    /// Drops the messages that do not survive a restart of the broker.
    pub(super) fn restart(&mut self) {
        self.ready.retain(|_, held| held.message.persistent);
        self.ready_bytes = self
            .ready
            .values()
            .map(|held| held.message.body.len())
            .sum();
    }

    fn exceeds(&self, more: usize, more_bytes: usize) -> bool {
        let QueueLimits { length, bytes, .. } = self.limits;
        let exceeds = |most: Option<usize>, size| most.is_some_and(|most| size > most);
        exceeds(length, self.ready.len() + more) || exceeds(bytes, self.ready_bytes + more_bytes)
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

/// An expiration as it goes over the wire, in whole milliseconds.
pub(super) fn whole_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
