//! Publishes the replies of a channel, and acknowledges the answered deliveries, several at once.
//!
//! An acknowledgement must not be written before the reply, but lapin writes acknowledgements
//! first if both are pending. So an acknowledgement is handed over only after its reply is
//! written. Replies are written in order, so waiting for the last of many means waiting for all of
//! them. Being woken for each reply would cost more than the rest, and so would acknowledging each
//! delivery separately, which costs the broker a message between two of its processes.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::calls::hand_over;
use super::failure::words;
use super::loss::lost;
use super::properties::publishable;
use super::suspects::Identity;
use super::write_backpressure::Writing;
use crate::transport::Loss;
use crate::wire::message::Message;
use crate::wire::outbound::warn_unanswerable;

/// The replies of a channel, and the deliveries that are to be acknowledged.
pub(super) struct Acks {
    shared: Arc<AckState>,
    _task: AbortOnDropHandle<()>,
}

struct AckState {
    channel: Channel,
    /// How many bytes the properties of a reply may take.
    frame: usize,
    tags: Mutex<Tags>,
    /// Notified when a delivery is to be acknowledged.
    due: Notify,
    /// Notified when deliveries were acknowledged.
    progress: Notify,
}

/// The deliveries of a channel, by their tags, which count from 1. The prefetches bound every set.
#[derive(Default)]
struct Tags {
    /// The last tag that was seen. Deliveries arrive in the order of their tags.
    seen: u64,
    /// The first tag that was never seen, because its subscription was dropped before it arrived.
    /// It goes back to its queue when the channel ends.
    missed: Option<u64>,
    /// The tags that are neither answered nor settled.
    open: BTreeMap<u64, Identity>,
    /// The tags that are answered but not acknowledged, in the order of the replies.
    answered: Vec<(u64, Identity)>,
    /// What can no longer be acknowledged, because the channel is gone.
    given_up: Vec<Identity>,
    /// The messages that are being placed in a queue, or could not be.
    placing: Vec<Identity>,
    /// The last reply that was handed to lapin, if it may not be written yet.
    last: Option<Writing>,
    /// How many replies were handed to lapin.
    handed_over: u64,
    /// How many of those are known to be written.
    written: u64,
}

/// One acknowledgement of one or more deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ack {
    tag: u64,
    /// Whether it includes all earlier deliveries.
    multiple: bool,
}

impl Acks {
    /// Starts the task that acknowledges. It ends when this is dropped.
    pub(super) fn new(channel: Channel, frame: usize, loss: watch::Receiver<Option<Loss>>) -> Self {
        let shared = Arc::new(AckState {
            channel,
            frame,
            tags: Mutex::default(),
            due: Notify::new(),
            progress: Notify::new(),
        });
        let acknowledging = Arc::clone(&shared).acknowledge(loss);
        Self {
            shared,
            _task: AbortOnDropHandle::new(tokio::spawn(acknowledging)),
        }
    }

    /// Notes that a delivery has arrived.
    pub(super) fn open(&self, tag: u64, identity: Identity) {
        self.shared.lock().open(tag, identity);
    }

    /// Notes that a message is being placed in a queue.
    pub(super) fn placing(&self, identity: Identity) {
        self.shared.lock().placing.push(identity);
    }

    /// Notes that it is there, or was refused.
    pub(super) fn placed(&self, identity: Identity) {
        let placing = &mut self.shared.lock().placing;
        if let Some(place) = placing.iter().position(|other| *other == identity) {
            placing.swap_remove(place);
        }
    }

    /// What was published and not acknowledged when the channel ended.
    pub(super) fn given_up(&self) -> Vec<Identity> {
        let tags = self.shared.lock();
        let answered = tags.answered.iter().map(|(_, identity)| *identity);
        let others = tags.given_up.iter().chain(&tags.placing).copied();
        answered.chain(others).collect()
    }

    /// Notes that a delivery was settled otherwise, by a frame that lapin already has.
    pub(super) fn settled(&self, tag: u64) {
        self.shared.lock().open.remove(&tag);
    }

    /// Hands a reply to lapin. It is the last reply for the deliveries `answered`, which are
    /// acknowledged when it is written.
    pub(super) fn answer(
        &self,
        answered: &[u64],
        reply_to: &str,
        reply: Message,
    ) -> Result<(), lapin::Error> {
        let (reply_to, properties) = match publishable(reply_to, &reply, self.shared.frame) {
            Ok(publishable) => publishable,
            Err(unfit) => {
                warn_unanswerable(unfit);
                return answered.iter().try_for_each(|tag| self.ack(*tag));
            }
        };
        let (channel, body) = (self.shared.channel.clone(), reply.body);
        let mut writing: Writing = Box::pin(async move {
            let options = BasicPublishOptions::default();
            let publishing = channel.basic_publish("".into(), reply_to, options, &body, properties);
            publishing.await.map(drop)
        });
        // Under the lock, so that `last` really is the last reply that lapin was handed.
        let mut tags = self.shared.lock();
        let handed_over = writing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let last = match handed_over {
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) => None,
            Poll::Pending => Some(writing),
        };
        tags.answered(answered);
        tags.handed_over += 1;
        tags.last = last;
        drop(tags);
        self.shared.due.notify_one();
        Ok(())
    }

    /// The number of deliveries that are answered but not acknowledged.
    pub(super) fn unsettled(&self) -> usize {
        self.shared.lock().answered.len()
    }

    /// Acknowledges a delivery that needs no reply, or whose replies were all handed over before.
    pub(super) fn ack(&self, tag: u64) -> Result<(), lapin::Error> {
        let mut tags = self.shared.lock();
        tags.answered(&[tag]);
        if tags.handed_over == tags.written {
            return self.shared.acknowledge_first(&mut tags, usize::MAX);
        }
        drop(tags);
        self.shared.due.notify_one();
        Ok(())
    }

    /// Returns when all replies that were handed over until now are written, or when none can be
    /// any more.
    pub(super) async fn all_written(&self) {
        let handed_over = self.shared.lock().handed_over;
        self.wait_until(|tags| tags.written >= handed_over).await;
    }

    /// Returns when all replies are written and their deliveries acknowledged, or when none can be
    /// any more.
    pub(super) async fn all_settled(&self) {
        self.wait_until(|tags| tags.answered.is_empty() && tags.written == tags.handed_over)
            .await;
    }

    async fn wait_until(&self, holds: impl Fn(&Tags) -> bool) {
        loop {
            // Created before the check, so that progress in between is not missed.
            let progress = self.shared.progress.notified();
            if holds(&self.shared.lock()) {
                return;
            }
            progress.await;
        }
    }
}

impl AckState {
    async fn acknowledge(self: Arc<Self>, loss: watch::Receiver<Option<Loss>>) {
        loop {
            self.due.notified().await;
            // Other tasks that are ready may be about to reply too.
            yield_now().await;
            let (count, handed_over, last) = {
                let mut tags = self.lock();
                (tags.answered.len(), tags.handed_over, tags.last.take())
            };
            let written = tokio::select! {
                written = until_written(last) => written.map_err(|error| words(&error)),
                Loss(reason) = lost(&loss) => Err(reason.words),
            };
            let mut tags = self.lock();
            tags.written = handed_over;
            let acknowledged = written.and_then(|()| {
                let acknowledged = self.acknowledge_first(&mut tags, count);
                acknowledged.map_err(|error| words(&error))
            });
            if let Err(reason) = acknowledged {
                // The channel is gone, and its streams report that. The broker redelivers the
                // answered calls to another server.
                debug!(reason, "cannot acknowledge answered calls");
                let answered = mem::take(&mut tags.answered);
                tags.given_up = answered.into_iter().map(|(_, identity)| identity).collect();
            }
            drop(tags);
            self.progress.notify_waiters();
        }
    }

    /// Runs under the lock: an acknowledgement of several deliveries must not overtake the frame
    /// that settles one of them otherwise.
    fn acknowledge_first(&self, tags: &mut Tags, count: usize) -> Result<(), lapin::Error> {
        tags.take(count, |Ack { tag, multiple }| {
            let options = BasicAckOptions { multiple };
            hand_over(self.channel.basic_ack(tag, options))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until_written(last: Option<Writing>) -> Result<(), lapin::Error> {
    match last {
        Some(last) => last.await,
        None => Ok(()),
    }
}

impl Tags {
    fn open(&mut self, tag: u64, identity: Identity) {
        if tag > self.seen + 1 {
            self.missed.get_or_insert(self.seen + 1);
        }
        self.open.insert(tag, identity);
        self.seen = tag;
    }

    fn answered(&mut self, tags: &[u64]) {
        for tag in tags {
            let identity = self.open.remove(tag).unwrap_or_default();
            self.answered.push((*tag, identity));
        }
    }

    /// Acknowledges the first `count` answered deliveries. Those before the first delivery that is
    /// still open are acknowledged as one, and each of the others separately.
    fn take<E>(
        &mut self,
        count: usize,
        mut ack: impl FnMut(Ack) -> Result<(), E>,
    ) -> Result<(), E> {
        let open = self.open.keys().next().copied();
        let first_open = open.into_iter().chain(self.missed).fold(u64::MAX, u64::min);
        let count = count.min(self.answered.len());
        // The replies to later ones may not be written yet, so they count as open.
        let later = self.answered[count..].iter().map(|(tag, _)| *tag);
        let first_open = later.fold(first_open, u64::min);
        let (mut last, mut together) = (0, 0);
        for (tag, _) in self.answered.drain(..count) {
            if tag < first_open {
                last = last.max(tag);
                together += 1;
            } else {
                ack(Ack {
                    tag,
                    multiple: false,
                })?;
            }
        }
        if together > 0 {
            ack(Ack {
                tag: last,
                multiple: together > 1,
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acks")
            .field("unsettled", &self.unsettled())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
