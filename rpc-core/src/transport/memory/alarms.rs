//! Timers for the queues that the broker must visit on its own, to expire messages or the queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::queue::QueueId;

/// At most one alarm for each queue, so the queues bound their number. An alarm may be early, if
/// what it was set for has gone. It is never late.
#[derive(Debug)]
pub(super) struct Alarms {
    ordered: BTreeSet<(Instant, QueueId)>,
    set: FxHashMap<QueueId, Instant>,
    /// Notified when the first alarm moves to an earlier time.
    moved: Arc<Notify>,
}

impl Alarms {
    pub(super) fn new(moved: Arc<Notify>) -> Self {
        Self {
            ordered: BTreeSet::new(),
            set: FxHashMap::default(),
            moved,
        }
    }

    /// Sets the alarm of a queue, unless it has one that is due at that time or earlier.
    pub(super) fn set(&mut self, queue: QueueId, at: Instant) {
        if self.set.get(&queue).is_some_and(|set| *set <= at) {
            return;
        }
        self.clear(queue);
        self.set.insert(queue, at);
        self.ordered.insert((at, queue));
        if self.ordered.first() == Some(&(at, queue)) {
            self.moved.notify_waiters();
        }
    }

    pub(super) fn clear(&mut self, queue: QueueId) {
        if let Some(at) = self.set.remove(&queue) {
            self.ordered.remove(&(at, queue));
        }
    }

    /// Takes one queue whose alarm is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<QueueId> {
        let (_, queue) = *self.ordered.first().filter(|(at, _)| *at <= now)?;
        self.clear(queue);
        Some(queue)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.ordered.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_queue_has_one_alarm_the_earliest() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut alarms = Alarms::new(Arc::default());
        alarms.set(1, after(20));
        alarms.set(2, after(15));
        alarms.set(1, after(30));
        assert_eq!(alarms.next(), Some(after(15)));
        alarms.set(1, after(10));
        assert_eq!(alarms.next(), Some(after(10)));
        assert_eq!(alarms.take(after(9)), None);
        assert_eq!(alarms.take(after(40)), Some(1));
        assert_eq!(alarms.take(after(40)), Some(2));
        assert_eq!(alarms.take(after(40)), None);
        assert_eq!(alarms.next(), None);
    }

    #[tokio::test]
    async fn only_an_earlier_first_alarm_wakes_who_waits_for_it() {
        let now = Instant::now();
        let moved = Arc::new(Notify::new());
        let mut alarms = Alarms::new(Arc::clone(&moved));
        alarms.set(1, now);
        let woken = moved.notified();
        alarms.set(2, now + Duration::from_millis(1));
        let mut woken = std::pin::pin!(woken);
        assert!(!woken.as_mut().enable());
        alarms.clear(1);
        alarms.set(1, now);
        woken.await;
    }
}
