//! How a call is settled with the broker once it is answered: by itself, or as one of a batch.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::contract::service::Method;
use crate::server::reply_batcher::OpenBatch;
use crate::transport::backoff::Backoff;
use crate::transport::{PublishError, Receipt, ServeChannel};
use crate::wire::message::Message;

/// What settles a call, exactly once; without that it goes to another server with its channel's end.
#[derive(Debug)]
pub(crate) enum Settlement {
    Alone {
        channel: Arc<dyn ServeChannel>,
        tag: u64,
    },
    InBatch(Arc<OpenBatch>),
}

/// A call that is to be kept for somebody to look into, and the queue for it.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) queue: String,
    pub(crate) letter: Message,
}

impl Settlement {
    /// Answers the call, if anybody waits for it, and settles it.
    ///
    /// The reply first: a call that is settled and not answered would be lost in silence.
    pub(crate) async fn answer(
        self,
        reply_to: Option<Arc<str>>,
        reply: Message,
    ) -> Result<(), PublishError> {
        match (self, reply_to) {
            (Self::Alone { channel, tag }, Some(reply_to)) => {
                channel.answer(&[tag], &reply_to, reply)
            }
            (Self::Alone { channel, tag }, None) => channel.ack(tag),
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

    /// Puts `call` into the queue of its method, in the place of what it came in. If the connection dies between the two,
    /// the broker redelivers what it came in, marked as it is. Returns when the settlement is written, if it is not that of a batch
    /// with other calls: whoever starts the copy then may take the process down, and must not take the settlement with it.
    pub(crate) async fn replace(self, method: &Method, call: Message) -> Result<(), PublishError> {
        let receipt = place(self.channel(), method, call).await?;
        match (self, receipt) {
            // The broker marks it as redelivered: "it may have run".
            (Self::Alone { channel, tag }, Receipt::Refused) => channel.requeue(tag).await,
            // Where the queue is gone, the call that this one replaces is gone with it.
            (Self::Alone { channel, tag }, Receipt::Taken | Receipt::Unroutable) => {
                channel.ack_written(tag).await
            }
            (Self::InBatch(batch), Receipt::Taken) if batch.was_last() => {
                batch.channel.ack_written(batch.tag).await
            }
            (Self::InBatch(_), Receipt::Taken) => Ok(()),
            (Self::InBatch(_), Receipt::Refused | Receipt::Unroutable) => Err(not_placed()),
        }
    }

    pub(crate) fn channel(&self) -> &dyn ServeChannel {
        match self {
            Self::Alone { channel, .. } => &**channel,
            Self::InBatch(batch) => &*batch.channel,
        }
    }
}

/// Puts a copy of a call into the queue of its method, confirmed: nobody would miss one that was lost before its caller's
/// time is over. A queue that refuses it, as while a quorum queue elects its leader, is asked again for [`REFUSED_LIMIT`].
async fn place(
    channel: &dyn ServeChannel,
    method: &Method,
    call: Message,
) -> Result<Receipt, PublishError> {
    let (mut backoff, limit) = (Backoff::default(), Instant::now() + REFUSED_LIMIT);
    let bounces = method.options.queue.bounces_new() && call.from.is_some();
    loop {
        match channel.place(&method.name, call.clone()).await? {
            // Its caller has it, as overloaded. Placed again, it might run after all.
            Receipt::Refused if bounces => return Ok(Receipt::Taken),
            Receipt::Refused if Instant::now() < limit => sleep(backoff.next_wait()).await,
            receipt => return Ok(receipt),
        }
    }
}

/// Puts all calls of a batch into the queue of their method, in the place of the batch.
pub(crate) async fn replace_batch(
    channel: &dyn ServeChannel,
    tag: u64,
    method: &Method,
    calls: Vec<Message>,
) -> Result<(), PublishError> {
    let placing = calls
        .into_iter()
        .map(|call| place(channel, method, call.for_another()));
    // All at once: the broker confirms each.
    let receipts = try_join_all(placing).await?;
    if receipts.iter().all(|receipt| *receipt == Receipt::Taken) {
        channel.ack(tag)
    } else {
        Err(not_placed())
    }
}

/// No call of a batch can go back alone. Unsettled, all do with the channel's end, marked as redelivered.
fn not_placed() -> PublishError {
    PublishError {
        sent: true,
        reason: "its queue did not take a call that was handed back".into(),
    }
}

/// Puts a call aside for somebody to look into. A queue that does not take it is not asked again, since the caller waits;
/// then what is logged is all that is left of it.
pub(crate) async fn keep(
    channel: &dyn ServeChannel,
    DeadLetter { queue, letter }: DeadLetter,
) -> Result<(), PublishError> {
    let reason = match channel.place(&queue, letter).await? {
        Receipt::Taken => return Ok(()),
        Receipt::Unroutable => "it is gone",
        Receipt::Refused => "it refuses more: it is full, or has no leader",
    };
    error!(
        queue,
        reason, "a call that was given up is lost: the dead-letter queue did not take it"
    );
    Ok(())
}

/// So long a queue that refuses a call that is handed back is asked again. A cluster that elects a leader may take seconds.
const REFUSED_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
