//! How a call is settled with the broker once it is answered: by itself, or as one of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lane::replies::Replies;
use crate::message::Message;
use crate::transport::{PublishError, ServeChannel};

/// What settles a call, exactly once; without that it goes to another server with its channel's end.
#[derive(Debug)]
pub(crate) enum Settlement {
    Alone {
        channel: Arc<dyn ServeChannel>,
        tag: u64,
    },
    InBatch(Arc<Batch>),
}

/// A batch, which is settled with the last of its calls.
#[derive(Debug)]
pub(crate) struct Batch {
    channel: Arc<dyn ServeChannel>,
    tag: u64,
    open: AtomicUsize,
    replies: Arc<Replies>,
}

impl Batch {
    pub(crate) fn new(
        channel: Arc<dyn ServeChannel>,
        tag: u64,
        calls: usize,
        replies: Arc<Replies>,
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
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.channel.ack(self.tag)?;
        }
        Ok(())
    }
}

impl Settlement {
    /// Sends a message that goes with the settlement.
    pub(crate) async fn send(&self, queue: &str, message: Message) -> Result<(), PublishError> {
        self.channel().reply(queue, message).await
    }

    /// Answers the call, if anybody waits for it, and settles it.
    ///
    /// The reply first: a call that is settled and not answered would be lost in silence.
    pub(crate) async fn answer(
        self,
        reply_to: Option<Arc<str>>,
        reply: Message,
    ) -> Result<(), PublishError> {
        match (self, reply_to) {
            (Self::Alone { channel, tag }, reply_to) => {
                if let Some(reply_to) = reply_to {
                    channel.reply(&reply_to, reply).await?;
                }
                channel.ack(tag)
            }
            (Self::InBatch(batch), Some(reply_to)) => {
                let replies = Arc::clone(&batch.replies);
                if replies.add(&reply_to, reply, batch) {
                    Box::pin(replies.send(&reply_to)).await?;
                }
                Ok(())
            }
            (Self::InBatch(batch), None) => batch.close_one(),
        }
    }

    /// Puts `call` into the queue of its method, in the place of what it came in.
    pub(crate) async fn replace(self, queue: &str, call: Message) -> Result<(), PublishError> {
        match self {
            Self::Alone { channel, tag } => channel.replace(queue, call, tag).await,
            Self::InBatch(batch) => {
                batch.channel.reply(queue, call).await?;
                batch.close_one()
            }
        }
    }

    fn channel(&self) -> &dyn ServeChannel {
        match self {
            Self::Alone { channel, .. } => &**channel,
            Self::InBatch(batch) => &*batch.channel,
        }
    }
}
