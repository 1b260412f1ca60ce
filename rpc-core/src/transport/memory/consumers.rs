//! The consumers of a queue, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};

/// The consumers of one queue. They take turns, each within its prefetch.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// Ids ascend, so the first consumer is the oldest.
    all: BTreeMap<ConsumerId, Consumer>,
    /// Consumers with free capacity, the next one first.
    free: VecDeque<ConsumerId>,
    /// Whether only the oldest consumer takes messages (`x-single-active-consumer`).
    single_active: bool,
}

#[derive(Debug)]
struct Consumer {
    channel: ChannelId,
    /// The most unsettled messages; 0 means no limit.
    prefetch: u16,
    unsettled: usize,
}

pub(super) type ConsumerId = u64;
pub(super) type ChannelId = u64;

impl Consumers {
    pub(super) fn new(single_active: bool) -> Self {
        Self {
            single_active,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn join(&mut self, id: ConsumerId, channel: ChannelId, prefetch: u16) {
        if !self.single_active || self.all.is_empty() {
            self.free.push_back(id);
        }
        let consumer = Consumer {
            channel,
            prefetch,
            unsettled: 0,
        };
        self.all.insert(id, consumer);
    }

    pub(super) fn leave(&mut self, id: ConsumerId) {
        let was_first = self.all.keys().next() == Some(&id);
        self.all.remove(&id);
        self.free.retain(|free| *free != id);
        if self.single_active && was_first {
            self.free.extend(self.all.keys().next());
        }
    }

    /// Takes a slot of the next consumer in turn for one message. Returns it with its channel.
    pub(super) fn take(&mut self) -> Option<(ConsumerId, ChannelId)> {
        let id = self.free.pop_front()?;
        let consumer = self.all.get_mut(&id)?;
        consumer.unsettled += 1;
        if !consumer.full() {
            self.free.push_back(id);
        }
        Some((id, consumer.channel))
    }

    /// Frees the slot that a message took. The consumer may have left.
    pub(super) fn settled(&mut self, id: ConsumerId) {
        let Some(consumer) = self.all.get_mut(&id) else {
            return;
        };
        let was_full = consumer.full();
        consumer.unsettled = consumer.unsettled.saturating_sub(1);
        if was_full {
            self.free.push_back(id);
        }
    }
}

impl Consumer {
    fn full(&self) -> bool {
        self.prefetch != 0 && self.unsettled >= usize::from(self.prefetch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(consumers: &mut Consumers, most: usize) -> Vec<ConsumerId> {
        (0..most)
            .map_while(|_| consumers.take())
            .map(|(id, _)| id)
            .collect()
    }

    #[test]
    fn consumers_take_turns() {
        let mut consumers = Consumers::default();
        for id in [1, 2, 3] {
            consumers.join(id, 10 + id, 0);
        }
        assert_eq!(turns(&mut consumers, 4), [1, 2, 3, 1]);
        assert_eq!(consumers.take(), Some((2, 12)));
        consumers.leave(3);
        assert_eq!(turns(&mut consumers, 3), [1, 2, 1]);
    }

    #[test]
    fn a_consumer_takes_no_more_than_its_prefetch() {
        let mut consumers = Consumers::default();
        consumers.join(1, 0, 1);
        consumers.join(2, 0, 2);
        assert_eq!(turns(&mut consumers, 9), [1, 2, 2]);
        consumers.settled(1);
        consumers.settled(2);
        assert_eq!(turns(&mut consumers, 9), [1, 2]);
        consumers.leave(1);
        consumers.settled(1);
        assert_eq!(consumers.take(), None);
    }

    #[test]
    fn a_single_active_consumer_is_followed_by_the_next_when_it_leaves() {
        let mut consumers = Consumers::new(true);
        consumers.join(1, 0, 2);
        consumers.join(2, 0, 2);
        consumers.join(3, 0, 2);
        assert_eq!(turns(&mut consumers, 9), [1, 1]);
        consumers.settled(1);
        consumers.leave(3);
        assert_eq!(turns(&mut consumers, 9), [1]);
        consumers.leave(1);
        assert_eq!(turns(&mut consumers, 9), [2, 2]);
    }
}
