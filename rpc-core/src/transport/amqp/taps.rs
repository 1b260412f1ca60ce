//! Where the messages of a connection go that are taken out before lapin.

use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use lapin::types::ShortString;
use rustc_hash::FxHashMap;

use super::limits::short;
use super::suspects::Suspects;
use super::unread::Unread;
use crate::wire::message::{Delivery, Message};
use crate::wire::size_limit::SizeLimit;

/// The receivers of one connection's messages: consumers by their tags, and publishers by their
/// channels.
///
/// A receiver is entered before the broker is asked for anything, so that no message comes before
/// it. A message without a receiver is dropped.
pub(super) struct Taps {
    /// The largest message of which the body is kept.
    pub(super) limit: SizeLimit,
    receivers: Mutex<Receivers>,
    broker: OnceLock<(u32, u32)>,
    pub(super) suspects: Arc<Suspects>,
    pub(super) unread: Arc<Unread>,
}

#[derive(Default)]
struct Receivers {
    /// Counts all that have ever been entered.
    entered: u64,
    consumers: FxHashMap<Vec<u8>, TakeDelivery>,
    /// With their number, because lapin uses the number of a closed channel again.
    publishers: FxHashMap<u16, (u64, TakeReturned)>,
}

/// Takes a delivery, on lapin's thread: it must not block, and must not panic.
pub(super) type TakeDelivery = Arc<dyn Fn(Delivery) + Send + Sync>;

/// Takes a message that the broker returned, on the same terms.
pub(super) type TakeReturned = Arc<dyn Fn(Returned) + Send + Sync>;

/// A message that the broker could not route.
pub(super) struct Returned {
    /// The queue to which it was published.
    pub(super) queue: String,
    pub(super) message: Message,
}

/// A receiver. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Tap {
    taps: Arc<Taps>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Consumer(Vec<u8>),
    Publisher { channel: u16, number: u64 },
}

impl Taps {
    pub(super) fn new(limit: SizeLimit, suspects: Arc<Suspects>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            receivers: Mutex::default(),
            broker: OnceLock::new(),
            suspects,
            unread: Arc::default(),
        })
    }

    /// Enters a consumer. Returns the tag by which it must be known to the broker.
    pub(super) fn consume(self: &Arc<Self>, take: TakeDelivery) -> (ShortString, Tap) {
        let mut receivers = self.lock();
        receivers.entered += 1;
        let tag = format!("rpc.{}", receivers.entered);
        receivers.consumers.insert(tag.clone().into_bytes(), take);
        drop(receivers);
        let place = Place::Consumer(tag.clone().into_bytes());
        (short(&tag), self.tap(place))
    }

    /// Enters who gets what the broker returns on a channel.
    pub(super) fn publish(self: &Arc<Self>, channel: u16, take: TakeReturned) -> Tap {
        let mut receivers = self.lock();
        receivers.entered += 1;
        let number = receivers.entered;
        receivers.publishers.insert(channel, (number, take));
        drop(receivers);
        self.tap(Place::Publisher { channel, number })
    }

    /// Notes the version that the broker says it has.
    pub(super) fn set_broker(&self, major: u32, minor: u32) {
        // The first counts. There is one for each connection.
        let _ = self.broker.set((major, minor));
    }

    /// The broker's version, 0.0 if it is unknown.
    pub(super) fn broker(&self) -> (u32, u32) {
        self.broker.get().copied().unwrap_or_default()
    }

    fn tap(self: &Arc<Self>, place: Place) -> Tap {
        Tap {
            taps: Arc::clone(self),
            place,
        }
    }

    pub(super) fn consumer(&self, tag: &[u8]) -> Option<TakeDelivery> {
        self.lock().consumers.get(tag).cloned()
    }

    pub(super) fn publisher(&self, channel: u16) -> Option<TakeReturned> {
        let receivers = self.lock();
        let (_, take) = receivers.publishers.get(&channel)?;
        Some(Arc::clone(take))
    }

    fn lock(&self) -> MutexGuard<'_, Receivers> {
        // No code that can panic runs under the lock.
        self.receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut receivers = self.taps.lock();
        // Dropped outside of the lock, because it may hold the last handle of a channel.
        let _removed = match &self.place {
            Place::Consumer(tag) => (receivers.consumers.remove(tag), None),
            Place::Publisher { channel, number } => match receivers.publishers.entry(*channel) {
                Entry::Occupied(entry) if entry.get().0 == *number => (None, Some(entry.remove())),
                _ => (None, None),
            },
        };
        drop(receivers);
    }
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taps").finish_non_exhaustive()
    }
}
