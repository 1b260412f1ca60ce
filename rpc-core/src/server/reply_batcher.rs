//! Batches the replies to calls that came in batches: replies that are ready together for one
//! caller travel together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::yield_now;

use crate::transport::{PublishError, ServeChannel};
use crate::wire::batch;
use crate::wire::message::{BATCH, Kind, Message};

/// Gathers replies by caller.
///
/// It has no task of its own. Whoever adds the first reply for a caller lets the handlers that are
/// ready at this moment finish, and then sends all replies that are there. So no reply waits for a
/// slower handler.
#[derive(Debug)]
pub(crate) struct ReplyBatcher {
    channel: Arc<dyn ServeChannel>,
    max_calls: usize,
    max_bytes: usize,
    /// By reply queue, while somebody sends to it. Bounded by the running calls.
    ready: Mutex<HashMap<Arc<str>, Vec<ReadyReply>>>,
}

#[derive(Debug)]
struct ReadyReply {
    reply: Message,
    batch: Arc<OpenBatch>,
}

impl ReplyBatcher {
    pub(crate) fn new(channel: Arc<dyn ServeChannel>, max_calls: usize, max_bytes: usize) -> Self {
        Self {
            channel,
            max_calls,
            max_bytes,
            ready: Mutex::default(),
        }
    }

    /// Adds a reply. Returns whether nobody is about to send the replies of this caller: then
    /// whoever has added this one must [`send`](Self::send) them.
    pub(crate) fn add(&self, reply_to: &Arc<str>, reply: Message, batch: Arc<OpenBatch>) -> bool {
        let ready = ReadyReply { reply, batch };
        let mut all = self.lock();
        if let Some(others) = all.get_mut(reply_to) {
            others.push(ready);
            return false;
        }
        all.insert(Arc::clone(reply_to), vec![ready]);
        true
    }

    /// Sends the replies to a caller until there are no more. An error may concern any of them.
    pub(crate) async fn send(&self, reply_to: &str) -> Result<(), PublishError> {
        loop {
            yield_now().await;
            let together = self.take(reply_to);
            if together.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.send_together(reply_to, together) {
                // The channel is abandoned, and the broker redelivers all that is unsettled on it.
                self.lock().remove(reply_to);
                return Err(error);
            }
        }
    }

    /// Takes the replies of the next message. If there are none, removes the caller's entry.
    fn take(&self, reply_to: &str) -> Vec<ReadyReply> {
        let mut all = self.lock();
        let Some(ready) = all.get_mut(reply_to) else {
            return Vec::new();
        };
        if ready.is_empty() {
            all.remove(reply_to);
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |ready: &&ReadyReply| {
            bytes += ready.reply.body.len();
            bytes <= self.max_bytes
        };
        let count = ready.iter().take(self.max_calls).take_while(fits).count();
        let rest = ready.split_off(count.max(1));
        std::mem::replace(ready, rest)
    }

    fn send_together(&self, reply_to: &str, together: Vec<ReadyReply>) -> Result<(), PublishError> {
        let (mut replies, batches): (Vec<_>, Vec<_>) = together
            .into_iter()
            .map(|ReadyReply { reply, batch }| (reply, batch))
            .unzip();
        let message = match replies.len() {
            1 => replies.remove(0),
            _ => Message {
                kind: Kind::Batch,
                content_type: Some(BATCH.into()),
                takes_batches: replies.iter().find_map(|reply| reply.takes_batches),
                body: batch::pack(&replies),
                ..Message::default()
            },
        };
        let tags = batches.iter().filter_map(|batch| batch.answer_one());
        let tags: Vec<_> = tags.collect();
        self.channel.answer(&tags, reply_to, message)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<ReadyReply>>> {
        // No code that can panic runs under the lock.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch. It is settled with the last of its calls.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub(crate) channel: Arc<dyn ServeChannel>,
    pub(crate) tag: u64,
    open: AtomicUsize,
    pub(crate) replies: Arc<ReplyBatcher>,
}

impl OpenBatch {
    pub(crate) fn new(
        channel: Arc<dyn ServeChannel>,
        tag: u64,
        calls: usize,
        replies: Arc<ReplyBatcher>,
    ) -> Self {
        Self {
            channel,
            tag,
            open: AtomicUsize::new(calls),
            replies,
        }
    }

    /// Finishes one call of the batch, and settles the batch if it was the last.
    pub(crate) fn close_one(&self) -> Result<(), PublishError> {
        match self.answer_one() {
            Some(tag) => self.channel.ack(tag),
            None => Ok(()),
        }
    }

    /// Counts one call of the batch as answered. If it was the last, returns the tag to settle with
    /// the answer.
    pub(crate) fn answer_one(&self) -> Option<u64> {
        self.was_last().then_some(self.tag)
    }

    /// Counts one call of the batch as finished. Returns whether it was the last.
    pub(crate) fn was_last(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
