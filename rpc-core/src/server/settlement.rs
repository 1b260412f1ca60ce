//! How a call is settled with the broker once it is answered: alone, or as one call of a batch.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use crate::contract::service::Method;
use crate::server::reply_batcher::OpenBatch;
use crate::transport::backoff::Backoff;
use crate::transport::{PublishError, Receipt, ServeChannel};
use crate::wire::message::Message;
use crate::wire::outbound::Unfit;

/// Settles a call, exactly once. A call that is not settled is redelivered when its channel ends.
#[derive(Debug)]
pub(crate) enum Settlement {
    Alone {
        channel: Arc<dyn ServeChannel>,
        tag: u64,
    },
    InBatch(Arc<OpenBatch>),
}

/// A call to be dead-lettered, and the queue for it.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) queue: String,
    pub(crate) letter: Message,
}

impl Settlement {
    /// Answers the call, if anybody waits for the answer, and settles it.
    ///
    /// The reply goes first: a call that is settled and not answered would be lost silently.
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

    /// Publishes `call` to the queue of its method, and then settles the delivery in which it came.
    /// If the connection dies between the two, the broker redelivers that delivery, marked as
    /// redelivered.
    ///
    /// Returns when the settlement is written, unless the delivery is a batch with other unfinished
    /// calls. A copy that is started after that may crash the process, and must not take the
    /// settlement with it.
    pub(crate) async fn replace(self, method: &Method, call: Message) -> Result<(), PublishError> {
        let can_be_rejected = call.can_be_rejected();
        let receipt = match place(self.channel(), method, call).await {
            // It goes back to its caller, as far as its headers say who that is.
            Err(PublishError {
                unfit: Some(unfit), ..
            }) => return self.give_up(method, unfit, can_be_rejected),
            receipt => receipt?,
        };
        match (self, receipt) {
            // The broker marks the call as redelivered, which means that it may have run.
            (Self::Alone { channel, tag }, Receipt::Refused) => channel.requeue(tag).await,
            // If the queue is gone, the call that this one replaces is gone with it.
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

    /// Rejects a call of which no copy can be published.
    fn give_up(
        self,
        method: &Method,
        unfit: Unfit,
        can_be_rejected: bool,
    ) -> Result<(), PublishError> {
        warn!(method = %method.name, reason = %unfit, "rejected a call that cannot be handed on");
        match self {
            Self::Alone { channel, tag } if can_be_rejected => channel.reject(tag),
            Self::Alone { channel, tag } => channel.ack(tag),
            // A batch cannot be rejected in part. Its caller runs into its time limit.
            Self::InBatch(batch) => batch.close_one(),
        }
    }

    pub(crate) fn channel(&self) -> &dyn ServeChannel {
        match self {
            Self::Alone { channel, .. } => &**channel,
            Self::InBatch(batch) => &*batch.channel,
        }
    }
}

/// Publishes a copy of a call to the queue of its method, with confirmation: until its caller's
/// deadline, nobody would miss a copy that was lost. If the queue refuses the copy, as a quorum
/// queue does while it elects a leader, the copy is published again for [`REFUSED_LIMIT`].
async fn place(
    channel: &dyn ServeChannel,
    method: &Method,
    call: Message,
) -> Result<Receipt, PublishError> {
    let (mut backoff, limit) = (Backoff::default(), Instant::now() + REFUSED_LIMIT);
    let bounces = method.options.queue.bounces_new() && call.from.is_some();
    loop {
        match channel.place(&method.name, call.clone()).await? {
            // The call has bounced to its caller as overloaded. Placed again, it might run after
            // all.
            Receipt::Refused if bounces => return Ok(Receipt::Taken),
            Receipt::Refused if Instant::now() < limit => sleep(backoff.next_wait()).await,
            receipt => return Ok(receipt),
        }
    }
}

/// Replaces a batch by its calls, in the queue of their method.
pub(crate) async fn replace_batch(
    channel: &dyn ServeChannel,
    tag: u64,
    method: &Method,
    calls: Vec<Message>,
) -> Result<(), PublishError> {
    let placing = calls
        .into_iter()
        .map(|call| place(channel, method, call.for_another()));
    // All at once, because each waits for its confirmation by the broker.
    let receipts = try_join_all(placing).await?;
    if receipts.iter().all(|receipt| *receipt == Receipt::Taken) {
        channel.ack(tag)
    } else {
        Err(not_placed())
    }
}

/// A single call of a batch cannot go back. All go back unsettled when the channel ends, and are
/// marked as redelivered.
fn not_placed() -> PublishError {
    PublishError::new(true, "its queue did not take a call that was handed back")
}

/// Publishes a call to its dead-letter queue. If the queue refuses it, the call is not published
/// again, because the caller waits. Then the log entry is all that is left of it.
pub(crate) async fn keep(
    channel: &dyn ServeChannel,
    DeadLetter { queue, letter }: DeadLetter,
) -> Result<(), PublishError> {
    let reason = match channel.place(&queue, letter).await {
        Ok(Receipt::Taken) => return Ok(()),
        Ok(Receipt::Unroutable) => "it is gone",
        Ok(Receipt::Refused) => "it refuses more: it is full, or has no leader",
        Err(PublishError { unfit: Some(_), .. }) => "the headers are too large for another one",
        Err(error) => return Err(error),
    };
    error!(
        queue,
        reason, "a dead-lettered call is lost: the dead-letter queue did not take it"
    );
    Ok(())
}

/// How long a call that is handed back is published again while its queue refuses it. A cluster may
/// take seconds to elect a leader.
const REFUSED_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
pub(crate) mod tests;
