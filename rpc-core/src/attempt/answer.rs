//! What came back of a call, and how it ends by that.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Attempt, FULL, Published};
use crate::call_session::CallSession;
use crate::client::Answer;
use crate::error::{RpcError, shorten};
use crate::fault::{Fault, kind};
use crate::message::{Bounce, IN_TIME, Kind};
use crate::pending::Outcome;
use crate::progress::Progress;

impl Attempt<'_> {
    pub(super) async fn answer(
        &mut self,
        session: &CallSession,
        outcome: Outcome,
    ) -> Result<Published, RpcError> {
        let method = || self.method();
        let message = match outcome {
            Outcome::Answered(message) => message,
            Outcome::Returned => return Err(self.unroutable()),
            Outcome::Over(over) => return Err(self.over(over, true)),
            Outcome::Unsent(error) => return self.unpublished(session, error),
        };
        match message.kind {
            Kind::Result => Ok(Published::Answered(Answer::Value(message.body))),
            Kind::Error => match Fault::parse(&message.body) {
                Ok(fault) => self.fault(fault).await,
                Err(error) => Err(self.undecodable("an error", &error.to_string())),
            },
            Kind::Call => match Bounce::of(&message.headers) {
                Bounce::Expired => Err(self.expired().await),
                Bounce::Overflowed => Err(self.overloaded(FULL.into())),
                Bounce::Rejected => Err(RpcError::Rejected { method: method() }),
            },
            Kind::Batch => Err(self.undecodable("a reply", "a batch is in a batch")),
            Kind::Unreadable => Err(self.undecodable("a reply", "its properties cannot be read")),
            Kind::Absent => Err(self.undecodable("a reply", "the message has no type")),
            Kind::Unknown(kind) => {
                let words = format!("the message has the unknown type `{}`", shorten(&kind));
                Err(self.undecodable("a reply", &words))
            }
        }
    }

    /// Errors of this library's own servers that are outcomes of their own, not the remote's.
    async fn fault(&mut self, fault: Fault) -> Result<Published, RpcError> {
        match &*fault.kind {
            kind::INTERRUPTED => Err(RpcError::Interrupted {
                method: self.method(),
            }),
            kind::EXPIRED if Instant::now() + LAST_MOMENT < self.deadline => {
                self.headers.insert(IN_TIME.into(), true.into());
                Ok(Published::TakenForLate)
            }
            kind::EXPIRED => Err(self.expired().await),
            kind::DEADLINE_EXCEEDED => {
                sleep_until(self.deadline).await;
                Err(self.timed_out(Progress::Stopped))
            }
            _ => Ok(Published::Answered(Answer::Fault(fault))),
        }
    }

    /// Broker and server go by their own clocks, and a little early; a call never ends for lack of time
    /// before its deadline.
    async fn expired(&self) -> RpcError {
        sleep_until(self.deadline).await;
        RpcError::Expired {
            method: self.method(),
            after: self.timeout,
        }
    }

    fn undecodable(&self, expected: &str, reason: &str) -> RpcError {
        RpcError::Decode {
            method: self.method(),
            expected: expected.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// A call that a server takes for late so shortly before its deadline is late: clocks are not more exact.
const LAST_MOMENT: Duration = Duration::from_millis(10);
