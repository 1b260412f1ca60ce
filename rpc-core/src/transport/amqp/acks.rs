//! Answers the calls of a channel, and acknowledges those that were answered, several at once.
//!
//! An acknowledgement must not come before the answer, and lapin writes it first if both are there. So it waits until the
//! answer is written; and since answers are written in their order, one that waits for the last of many waits for all of
//! them. Being woken for each, and a message between two processes of the broker for each, would cost more than the rest.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tracing::debug;

use super::calls::hand_over;
use super::loss::lost;
use super::{properties, short, words};
use crate::transport::Loss;
use crate::wire::message::Message;
use tokio_util::task::AbortOnDropHandle;

/// What is answered and to be acknowledged on a channel.
pub(super) struct Acks {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    channel: Channel,
    tags: Mutex<Tags>,
    /// Something is to be acknowledged.
    due: Notify,
    /// Something is acknowledged.
    progress: Notify,
}

/// Ends when a message is written.
type Writing = Pin<Box<dyn Future<Output = Result<(), lapin::Error>> + Send>>;

/// The deliveries of a channel by their tags, which count from 1.
struct Tags {
    /// The smallest that has not been seen yet: the streams of several subscriptions are not read in the order of the tags.
    unseen: u64,
    /// Those above it that have been seen. Like all here, bounded by the prefetches.
    seen: BTreeSet<u64>,
    /// Those that are not settled, nor answered.
    open: BTreeSet<u64>,
    /// Those that are answered, in the order of the answers.
    answered: Vec<u64>,
    /// The last of the answers.
    last: Option<Writing>,
    /// How many answers lapin was handed, and how many of them are written, as far as that is known.
    handed_over: u64,
    written: u64,
}

/// One acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ack {
    tag: u64,
    /// With all before it.
    multiple: bool,
}

impl Acks {
    /// The task ends with this.
    pub(super) fn new(channel: Channel, told: watch::Receiver<Option<Loss>>) -> Self {
        let shared = Arc::new(Shared {
            channel,
            tags: Mutex::default(),
            due: Notify::new(),
            progress: Notify::new(),
        });
        let acknowledging = Arc::clone(&shared).acknowledge(told);
        Self {
            shared,
            _task: AbortOnDropHandle::new(tokio::spawn(acknowledging)),
        }
    }

    /// A delivery has come.
    pub(super) fn open(&self, tag: u64) {
        self.shared.lock().open(tag);
    }

    /// A delivery was settled by other means, which have been handed to lapin.
    pub(super) fn settled(&self, tag: u64) {
        self.shared.lock().open.remove(&tag);
    }

    /// Hands over an answer. The deliveries of which it is the last are acknowledged when it is written.
    pub(super) fn answer(
        &self,
        of: &[u64],
        reply_to: &str,
        reply: Message,
    ) -> Result<(), lapin::Error> {
        let (channel, reply_to) = (self.shared.channel.clone(), short(reply_to));
        let (properties, body) = (properties::to_amqp(&reply), reply.body);
        let mut writing: Writing = Box::pin(async move {
            let options = BasicPublishOptions::default();
            let publishing = channel.basic_publish("".into(), reply_to, options, &body, properties);
            publishing.await.map(drop)
        });
        // Under the lock, so that the last one is the last that lapin has.
        let mut tags = self.shared.lock();
        let handed_over = writing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let last = match handed_over {
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) => None,
            Poll::Pending => Some(writing),
        };
        tags.answered(of);
        tags.handed_over += 1;
        tags.last = last;
        drop(tags);
        self.shared.due.notify_one();
        Ok(())
    }

    /// How many deliveries are answered and not acknowledged.
    pub(super) fn unsettled(&self) -> usize {
        self.shared.lock().answered.len()
    }

    /// Acknowledges a delivery that has no answer, or of which all answers were handed over before.
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

    /// Returns when all answers that were handed over until now are written, or none can be any more.
    pub(super) async fn all_written(&self) {
        let handed_over = self.shared.lock().handed_over;
        self.until(|tags| tags.written >= handed_over).await;
    }

    /// Returns when all answers are written and what they answer is acknowledged, or nothing can be any more.
    pub(super) async fn all_settled(&self) {
        self.until(|tags| tags.answered.is_empty() && tags.written == tags.handed_over)
            .await;
    }

    async fn until(&self, holds: impl Fn(&Tags) -> bool) {
        loop {
            let progress = self.shared.progress.notified();
            if holds(&self.shared.lock()) {
                return;
            }
            progress.await;
        }
    }
}

impl Shared {
    async fn acknowledge(self: Arc<Self>, told: watch::Receiver<Option<Loss>>) {
        loop {
            self.due.notified().await;
            // Those that are ready now may have answers, too.
            yield_now().await;
            let (count, handed_over, last) = {
                let mut tags = self.lock();
                (tags.answered.len(), tags.handed_over, tags.last.take())
            };
            let written = tokio::select! {
                written = until_written(last) => written.map_err(|error| words(&error)),
                Loss(reason) = lost(&told) => Err(reason),
            };
            let mut tags = self.lock();
            tags.written = handed_over;
            let acknowledged = written.and_then(|()| {
                let acknowledged = self.acknowledge_first(&mut tags, count);
                acknowledged.map_err(|error| words(&error))
            });
            if let Err(reason) = acknowledged {
                // The channel is gone, as its streams say; what was answered goes to another server, marked as redelivered.
                debug!(reason, "answered calls are not acknowledged");
                tags.answered.clear();
            }
            drop(tags);
            self.progress.notify_waiters();
        }
    }

    /// Under the lock: one that takes several along must not come before what settles one of them.
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
    fn open(&mut self, tag: u64) {
        self.open.insert(tag);
        if tag == self.unseen {
            self.unseen += 1;
            while self.seen.remove(&self.unseen) {
                self.unseen += 1;
            }
        } else {
            self.seen.insert(tag);
        }
    }

    fn answered(&mut self, tags: &[u64]) {
        for tag in tags {
            self.open.remove(tag);
        }
        self.answered.extend(tags);
    }

    /// Acknowledges so many that were answered first: as one, all before the first that is not answered, and each behind it
    /// by itself.
    fn take<E>(
        &mut self,
        count: usize,
        mut ack: impl FnMut(Ack) -> Result<(), E>,
    ) -> Result<(), E> {
        let first_open = self
            .open
            .first()
            .map_or(self.unseen, |tag| self.unseen.min(*tag));
        let count = count.min(self.answered.len());
        // The answers of the others may not be written.
        let later = self.answered[count..].iter().copied();
        let first_open = later.fold(first_open, u64::min);
        let (mut last, mut together) = (0, 0);
        for tag in self.answered.drain(..count) {
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

impl Default for Tags {
    fn default() -> Self {
        Self {
            unseen: 1,
            seen: BTreeSet::new(),
            open: BTreeSet::new(),
            answered: Vec::new(),
            last: None,
            handed_over: 0,
            written: 0,
        }
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
