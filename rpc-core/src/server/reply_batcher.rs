//! ReplyBatcher to calls that came in batches; those that are ready together for one caller travel together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::yield_now;

use crate::transport::{PublishError, ServeChannel};
use crate::wire::batch;
use crate::wire::message::{BATCH, Kind, Message};

/// Gathers replies by caller.
///
/// There is no task for it: whoever comes first for a caller lets the handlers that are ready at this moment
/// finish, and sends what there is then. So nothing waits for a handler that takes longer.
#[derive(Debug)]
pub(crate) struct ReplyBatcher {
    channel: Arc<dyn ServeChannel>,
    max_calls: usize,
    max_bytes: usize,
    /// By reply queue, while somebody sends to it. Bounded by the calls that run.
    ready: Mutex<HashMap<Arc<str>, Vec<Ready>>>,
}

#[derive(Debug)]
struct Ready {
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

    /// Adds a reply. Whether nobody is about to send those of this caller: then who adds it must.
    pub(crate) fn add(&self, reply_to: &Arc<str>, reply: Message, batch: Arc<OpenBatch>) -> bool {
        let ready = Ready { reply, batch };
        let mut all = self.lock();
        if let Some(others) = all.get_mut(reply_to) {
            others.push(ready);
            return false;
        }
        all.insert(Arc::clone(reply_to), vec![ready]);
        true
    }

    /// Sends the replies to a caller until there are no more. An error is that of any of them.
    pub(crate) async fn send(&self, reply_to: &str) -> Result<(), PublishError> {
        loop {
            yield_now().await;
            let together = self.take(reply_to);
            if together.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.send_together(reply_to, together) {
                // The channel is given up, and all that is unsettled on it goes to another server.
                self.lock().remove(reply_to);
                return Err(error);
            }
        }
    }

    /// What goes together; the caller's entry ends with nothing.
    fn take(&self, reply_to: &str) -> Vec<Ready> {
        let mut all = self.lock();
        let Some(ready) = all.get_mut(reply_to) else {
            return Vec::new();
        };
        if ready.is_empty() {
            all.remove(reply_to);
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |ready: &&Ready| {
            bytes += ready.reply.body.len();
            bytes <= self.max_bytes
        };
        let count = ready.iter().take(self.max_calls).take_while(fits).count();
        let rest = ready.split_off(count.max(1));
        std::mem::replace(ready, rest)
    }

    fn send_together(&self, reply_to: &str, together: Vec<Ready>) -> Result<(), PublishError> {
        let (mut replies, batches): (Vec<_>, Vec<_>) = together
            .into_iter()
            .map(|Ready { reply, batch }| (reply, batch))
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
        let done = batches.iter().filter_map(|batch| batch.answer_one());
        let done: Vec<_> = done.collect();
        self.channel.answer(&done, reply_to, message)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Ready>>> {
        // No code that can panic runs under the lock.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch, which is settled with the last of its calls.
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

    /// One of its calls is done with.
    pub(crate) fn close_one(&self) -> Result<(), PublishError> {
        match self.answer_one() {
            Some(tag) => self.channel.ack(tag),
            None => Ok(()),
        }
    }

    /// One of its calls is answered. If it was the last, what is to be settled with the answer.
    pub(crate) fn answer_one(&self) -> Option<u64> {
        self.was_last().then_some(self.tag)
    }

    pub(crate) fn was_last(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
