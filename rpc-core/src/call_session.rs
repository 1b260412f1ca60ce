//! One connection for calls, and what comes back on it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::connect_error::ConnectError;
use crate::lane::batch::unpack;
use crate::lane::options::Batching;
use crate::lane::sender::Lanes;
use crate::lookout::Lookout;
use crate::message::{Incoming, Kind, Message};
use crate::pending::{Outcome, Over, PendingCalls};
use crate::supervisor::{OwnedTask, Session};
use crate::transport::{CallChannel, ConfirmChannel, Link, Loss, OpenCalls};

/// One connection for calls: a channel, a fresh reply queue, and the callers that wait on it.
#[derive(Debug)]
pub(crate) struct CallSession {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) channel: Arc<dyn CallChannel>,
    pub(crate) pending: Arc<PendingCalls>,
    pub(crate) lookout: Lookout,
    pub(crate) confirms: Box<dyn ConfirmChannel>,
    pub(crate) lanes: Arc<Lanes>,
    /// Cancelled when nothing can come in any more.
    silent: CancellationToken,
    /// Why that is, if it is known.
    why: Arc<OnceLock<String>>,
    /// Hands what comes in to its callers.
    _pump: OwnedTask,
}

#[async_trait]
impl Session for CallSession {
    type Options = Batching;

    async fn open(link: Arc<dyn Link>, batching: &Batching) -> Result<Self, ConnectError> {
        let OpenCalls {
            channel,
            mut incoming,
        } = link.call_channel().await?;
        let pending = Arc::new(PendingCalls::default());
        let calls = Arc::clone(&pending);
        channel.shorten(Arc::new(move |reply| deliver(&calls, reply)));
        let silent = CancellationToken::new();
        let silenced = silent.clone();
        let calls = Arc::clone(&pending);
        let lanes = Arc::new(Lanes::start(&channel, &pending, batching));
        let lanes_of_pump = Arc::clone(&lanes);
        let why = Arc::new(OnceLock::new());
        let tell_why = Arc::clone(&why);
        let host = link.host().to_owned();
        let pump = tokio::spawn(async move {
            while let Some(incoming) = incoming.next().await {
                match incoming {
                    Incoming::Reply(message) => deliver(&calls, message),
                    Incoming::Returned(message) if message.kind == Kind::Batch => {
                        lanes_of_pump.returned(&message);
                    }
                    Incoming::Returned(message) => calls.deliver(message, |_| Outcome::Returned),
                    Incoming::Ended(reason) => {
                        tell_why.get_or_init(|| reason);
                    }
                }
            }
            // Whoever else notices the loss, and when: no call may wait here any longer.
            let reason = tell_why.get().map_or(SILENCE, String::as_str);
            // First what was never sent, which another connection may have.
            lanes_of_pump.end(reason);
            calls.end(Over::Lost(format!("{host}: {reason}")));
            silenced.cancel();
        });
        Ok(Self {
            lookout: Lookout::start(&link),
            confirms: link.confirm_channel(),
            link,
            channel,
            pending,
            lanes,
            silent,
            why,
            _pump: OwnedTask(pump),
        })
    }

    fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    async fn lost(&self) -> Loss {
        let reason = tokio::select! {
            Loss(reason) = self.link.lost() => reason,
            () = self.silent.cancelled() => self.why.get().map_or(SILENCE, String::as_str).to_owned(),
        };
        Loss(format!("{}: {reason}", self.link.host()))
    }

    fn end(&self, over: Over) {
        if let Over::Lost(reason) = &over {
            self.lanes.end(reason);
        }
        self.pending.end(over);
    }
}

impl Drop for CallSession {
    fn drop(&mut self) {
        // The last owner may be the runtime that shuts down: callers elsewhere must not wait for it.
        self.pending.end(Over::Closed);
    }
}

/// Hands a reply, or each reply of a batch, to its caller. A batch of calls is one that bounced, and all of
/// them did for the same reason.
fn deliver(calls: &PendingCalls, message: Message) {
    if message.kind != Kind::Batch {
        return calls.deliver(message, Outcome::Answered);
    }
    match unpack(&message) {
        Ok(messages) => {
            for message in messages {
                calls.deliver(message, Outcome::Answered);
            }
        }
        Err(reason) => debug!(reason, "dropped a batch of replies"),
    }
}

/// Where the broker gave no reason, as when somebody deletes the queue.
const SILENCE: &str = "the reply queue is gone";
