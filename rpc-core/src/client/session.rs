//! One connection for calls, and what comes back on it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::client::batch_sender::BatchSender;
use crate::client::pending::{Outcome, PendingCalls};
use crate::client::queue_inspector::QueueInspector;
use crate::connection::session::{Session, SessionEnd, Terminated};
use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::transport::{CallChannel, ConfirmChannel, Link, Loss, Messages, OpenCalls};
use crate::wire::batch::unpack;
use crate::wire::batching::Batching;
use crate::wire::inbound::bound;
use crate::wire::message::{Incoming, Kind, Message};
use crate::wire::size_limit::SizeLimit;

/// One connection for calls: a channel, a fresh reply queue, and the callers that wait on it.
#[derive(Debug)]
pub(crate) struct CallSession {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) channel: Arc<dyn CallChannel>,
    pub(crate) pending: Arc<PendingCalls>,
    pub(crate) queue_inspector: QueueInspector,
    pub(crate) confirms: Box<dyn ConfirmChannel>,
    pub(crate) batch_sender: Arc<BatchSender>,
    end: Arc<SessionEnd>,
    /// Delivers incoming messages to their callers.
    _pump: AbortOnDropHandle<()>,
}

/// What a session needs to know.
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) batching: Batching,
    /// The largest reply.
    pub(crate) message_size: SizeLimit,
}

#[async_trait]
impl Session for CallSession {
    type Options = SessionOptions;

    async fn open(link: Arc<dyn Link>, options: &SessionOptions) -> Result<Self, ConnectError> {
        let OpenCalls { channel, incoming } = link.call_channel().await?;
        let end = Arc::<SessionEnd>::default();
        let pending = Arc::new(PendingCalls::new(&end));
        let calls = Arc::clone(&pending);
        let limit = options.message_size;
        channel.shorten(Arc::new(move |reply| deliver(&calls, reply, limit)));
        let batching = &options.batching;
        let batch_sender = Arc::new(BatchSender::start(&channel, &pending, &end, batching));
        let pump = Pump {
            host: link.host().to_owned(),
            pending: Arc::clone(&pending),
            batch_sender: Arc::clone(&batch_sender),
            end: Arc::clone(&end),
            limit,
        };
        let pump = tokio::spawn(pump.run(incoming));
        Ok(Self {
            queue_inspector: QueueInspector::start(&link),
            confirms: link.confirm_channel(),
            link,
            channel,
            pending,
            batch_sender,
            end,
            _pump: AbortOnDropHandle::new(pump),
        })
    }

    fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    async fn lost(&self) -> Loss {
        tokio::select! {
            Loss(reason) = self.link.lost() => Loss(reason.at(self.link.host())),
            () = self.end.wait() => match self.end.get() {
                Some(Terminated::Lost(reason)) => Loss(reason.clone()),
                _ => Loss(Reason::from(SILENCE).at(self.link.host())),
            },
        }
    }

    fn end(&self, reason: Terminated) {
        end(&self.end, &self.batch_sender, &self.pending, reason);
    }
}

impl Drop for CallSession {
    fn drop(&mut self) {
        // The last owner may be a runtime that shuts down. Callers on other runtimes must not wait
        // for it.
        self.pending.end(Terminated::Closed);
    }
}

/// Delivers what arrives on one connection to its callers, and ends the session when nothing more
/// can arrive.
struct Pump {
    host: String,
    pending: Arc<PendingCalls>,
    batch_sender: Arc<BatchSender>,
    end: Arc<SessionEnd>,
    /// The largest reply.
    limit: SizeLimit,
}

impl Pump {
    async fn run(self, mut incoming: Messages<Incoming>) {
        let mut why = None;
        while let Some(incoming) = incoming.next().await {
            match incoming {
                Incoming::Reply(message) => deliver(&self.pending, message, self.limit),
                Incoming::Returned(message) if message.kind == Kind::Batch => {
                    self.batch_sender.returned(&message);
                }
                Incoming::Returned(message) => {
                    self.pending.deliver(message, |_| Outcome::Returned);
                }
                Incoming::Ended(reason) => why = why.or(Some(reason)),
            }
        }
        let reason = why.unwrap_or_else(|| SILENCE.into());
        let lost = Terminated::Lost(reason.at(&self.host));
        end(&self.end, &self.batch_sender, &self.pending, lost);
    }
}

/// Ends a session, so that no call waits on it any longer. Whoever notices the end calls this.
fn end(end: &SessionEnd, batch_sender: &BatchSender, pending: &PendingCalls, reason: Terminated) {
    end.set(reason.clone());
    // First the calls that were never sent: another connection may accept them.
    if let Terminated::Lost(reason) = &reason {
        batch_sender.fail_waiting(reason);
    }
    pending.end(reason);
}

/// Delivers a reply, or each reply of a batch, to its caller. A batch of calls is one that bounced:
/// all its calls bounced, for the same reason.
fn deliver(calls: &PendingCalls, mut message: Message, limit: SizeLimit) {
    bound(&mut message, limit);
    if message.kind != Kind::Batch {
        return calls.deliver(message, Outcome::Answered);
    }
    match unpack(&message, limit) {
        Ok(messages) => {
            for message in messages {
                calls.deliver(message, Outcome::Answered);
            }
        }
        Err(reason) => debug!(reason, "dropped a batch of replies that cannot be read"),
    }
}

/// The reason where the broker gives none, such as when somebody deletes the queue.
const SILENCE: &str = "the reply queue is gone";
