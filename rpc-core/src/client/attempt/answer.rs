//! How a call ends, by what came back.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use tokio::time::{Instant, sleep_until};

use super::sending::PATIENCE;
use super::{Attempt, Published};
use crate::client::pending::Outcome;
use crate::client::session::CallSession;
use crate::error::progress::Progress;
use crate::error::reason::Reason;
use crate::error::rpc_error::RpcError;
use crate::error::shorten::shorten;
use crate::wire::content::Content;
use crate::wire::fault::Answer;
use crate::wire::fault::{Fault, kind};
use crate::wire::message::{Bounce, Kind, Message};

impl Attempt<'_> {
    pub(super) async fn answer(
        &mut self,
        session: &CallSession,
        outcome: Outcome,
    ) -> Result<Published, RpcError> {
        let said = match outcome {
            Outcome::Answered(message) => ReplyKind::by(&message),
            Outcome::Returned => return Err(self.unroutable()),
            Outcome::Terminated(over) => return Err(self.over(over, true)),
            Outcome::Unsent(error) => return self.unpublished(session, error),
        };
        match said {
            ReplyKind::Value(body, content) => {
                Ok(Published::Answered(Answer::Value(body, content)))
            }
            ReplyKind::Fault(fault) => self.fault(session, fault).await,
            ReplyKind::Bounced(Bounce::Expired) => Err(self.expired(session).await),
            ReplyKind::Bounced(Bounce::Overflowed) => {
                Err(RpcError::overloaded(self.method(), true, FULL))
            }
            ReplyKind::Bounced(Bounce::Rejected) => Err(RpcError::rejected(self.method())),
            ReplyKind::Nothing { expected, reason } => {
                let error = RpcError::decode(self.method(), expected, reason.words);
                Err(error.caused_by(reason.source))
            }
        }
    }

    /// Turns an error reply into the end of the call. Some errors that this library's servers
    /// report themselves have an `RpcError` of their own; all others are errors of the remote
    /// method.
    async fn fault(&mut self, session: &CallSession, fault: Fault) -> Result<Published, RpcError> {
        match &*fault.kind {
            kind::INTERRUPTED => Err(RpcError::interrupted(self.method())),
            kind::EXPIRED if Instant::now() + LAST_MOMENT < self.deadline => {
                self.marks.in_time = true;
                Ok(Published::TakenForLate)
            }
            kind::EXPIRED => Err(self.expired(session).await),
            kind::DEADLINE_EXCEEDED => {
                sleep_until(self.deadline).await;
                Err(self.timed_out(Progress::Stopped))
            }
            _ => Ok(Published::Answered(Answer::Fault(fault))),
        }
    }

    /// The error of a call that expired. Broker and server expire a call by their own clocks, and a
    /// little early, but a call never ends for lack of time before its deadline.
    async fn expired(&self, session: &CallSession) -> RpcError {
        let by = self.deadline + PATIENCE;
        let look = session
            .queue_inspector
            .progress(&self.request.method, None, by);
        let (progress, ()) = join(look, sleep_until(self.deadline)).await;
        let (servers, waiting) = match progress {
            Progress::Queued { calls, servers } => (Some(servers), Some(calls)),
            // This call itself is no longer in the queue.
            Progress::Taken { servers } => (Some(servers), Some(0)),
            _ => (None, None),
        };
        RpcError::expired(self.method(), self.timeout, servers, waiting)
    }
}

/// What a message on the reply queue means for its call. Pure: it has no side effects.
#[derive(Debug)]
pub(crate) enum ReplyKind {
    Value(Bytes, Content),
    Fault(Fault),
    Bounced(Bounce),
    /// A message that cannot be understood.
    Nothing {
        expected: &'static str,
        reason: Reason,
    },
}

impl ReplyKind {
    pub(crate) fn by(message: &Message) -> Self {
        let reply = |reason: Reason| Self::Nothing {
            expected: "a reply",
            reason,
        };
        if let Some(too_large) = message.extras.too_large {
            return Self::Nothing {
                expected: "a reply within `max_message_size`",
                reason: too_large.to_string().into(),
            };
        }
        match &message.kind {
            Kind::Result => Self::Value(message.body.clone(), Content::of(message)),
            Kind::Error => match Fault::parse(&message.body, &Content::of(message)) {
                Ok(fault) => Self::Fault(fault),
                Err(reason) => Self::Nothing {
                    expected: "an error",
                    reason,
                },
            },
            Kind::Call => Self::Bounced(message.bounce()),
            Kind::Batch => reply("a batch is in a batch".into()),
            Kind::Unreadable => reply("its properties cannot be read".into()),
            Kind::Absent => reply("the message has no type".into()),
            Kind::Unknown(kind) => {
                reply(format!("the message has the unknown type `{}`", shorten(kind)).into())
            }
        }
    }
}

/// A call that a server judges expired this shortly before its deadline counts as expired, because
/// clocks are not more exact.
const LAST_MOMENT: Duration = Duration::from_millis(10);

/// Why a call is refused by a full queue.
pub(super) const FULL: &str = "its queue is full";
