//! Sends a call, and waits for what comes back.
//!
//! Each call in flight keeps one such future, so what few calls need is in boxes of its own.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::TryFutureExt;
use futures_util::future::{Either, join};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Attempt, Published};
use crate::client::batch_sender::{Sending, Ticket};
use crate::client::pending::Outcome;
use crate::client::session::CallSession;
use crate::connection::session::Terminated;
use crate::error::call::RpcError;
use crate::error::progress::Progress;
use crate::transport::{PublishError, Receipt};
use crate::wire::correlation_id::CorrelationId;
use crate::wire::fault::Answer;
use crate::wire::message::{Kind, Message, TimeLimit, unix_millis};

impl Attempt<'_> {
    /// Sends the call over `session` and waits for what comes back.
    pub(crate) async fn publish(&mut self, session: &CallSession) -> Result<Published, RpcError> {
        self.wait_while_blocked(session).await?;
        let mut entry = match session.pending.enter() {
            Ok(entry) => entry,
            Err(Terminated::Lost(reason)) => return Ok(Published::NotSent(reason)),
            Err(Terminated::Closed) => return Err(self.over(Terminated::Closed, false)),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < SHORTEST {
            Box::pin(sleep_until(self.deadline)).await;
            return Err(self.timed_out(Progress::NotSent));
        }
        let early = (left / 16).min(EXPIRES_EARLY);
        let call = self.addressed(session, entry.id(), left, left - early);
        let Some((handing_over, mut ticket)) = self.depart(session, call)? else {
            return Ok(Published::NotSent(CLOSING.into()));
        };
        // One that goes with others is sent when it matters, or taken back.
        let sent = AtomicBool::new(handing_over.as_ref().is_none_or(|(_, is_over)| *is_over));
        let sending = async {
            if let Some((handing_over, _)) = handing_over {
                match handing_over.await {
                    Ok(Receipt::Taken) => sent.store(true, Ordering::Relaxed),
                    Ok(Receipt::Unroutable) => return Err(self.unroutable()),
                    Ok(Receipt::Refused) => return Ok(Published::Refused),
                    Err(error) => return self.unpublished(session, error),
                }
            }
            // Its answer is what ends it.
            pending().await
        };
        let late = async {
            // A little before, so that the broker's answer is there by the deadline.
            sleep_until(self.deadline - early / 2).await;
            Box::pin(self.time_out(session, ticket.as_mut(), &sent)).await
        };
        let outcome = tokio::select! {
            biased;
            outcome = entry.outcome() => outcome,
            // Beside the answer, which may come before the confirmation.
            ended = sending => return ended,
            progress = late => return Err(self.timed_out(progress)),
        };
        if let Some(ticket) = &mut ticket {
            ticket.ended();
        }
        if let Outcome::Answered(reply) = &outcome
            && let Some(takes) = reply.takes_batches
        {
            session
                .batch_sender
                .advise(&self.request.method, ticket.as_ref(), takes);
        }
        drop(ticket);
        match outcome {
            Outcome::Answered(reply)
                if reply.kind == Kind::Result
                    && self.limits.message_size.check(&reply.body).is_ok() =>
            {
                Ok(Published::Answered(Answer::Value(reply.body)))
            }
            // The network takes no more, and the transport has held the call up.
            Outcome::Terminated(Terminated::Lost(reason))
                if !self.request.options.confirmed && !sent.load(Ordering::Relaxed) =>
            {
                Ok(Published::NotSent(reason))
            }
            outcome => Box::pin(self.answer(session, outcome)).await,
        }
    }

    /// Starts a call on its way: by itself, unless it is to wait for others; `None` if none goes any more. With a call that
    /// goes by itself comes whether that is over.
    ///
    /// Not a part of [`publish`](Self::publish), whose future would keep room for each place the call passes.
    #[expect(clippy::type_complexity, reason = "both are taken apart at once")]
    fn depart<'s>(
        &'s self,
        session: &'s CallSession,
        call: Message,
    ) -> Result<
        Option<(
            Option<(impl Future<Output = HandedOver> + use<'s>, bool)>,
            Option<Ticket>,
        )>,
        RpcError,
    > {
        self.check_headers(&call, session.channel.header_limit())?;
        let (call, ticket) = if self.travels_alone(&call) {
            (Some(call), None)
        } else {
            match session.batch_sender.enter(&self.request.method, call) {
                Sending::Goes(call, ticket) => (Some(call), ticket),
                Sending::Waits(ticket) => (None, Some(ticket)),
                Sending::Terminated => return Ok(None),
            }
        };
        let handing_over = call.map(|call| self.hand_over(session, call));
        Ok(Some((handing_over, ticket)))
    }

    /// The call as it is sent this time.
    fn addressed(
        &self,
        session: &CallSession,
        id: CorrelationId,
        left: Duration,
        waits: Duration,
    ) -> Message {
        let reply_queue = session.channel.reply_queue();
        let mut call = self.message();
        call.correlation_id = Some(id);
        call.reply_to = Some(Arc::clone(reply_queue));
        call.from = Some(Arc::clone(reply_queue));
        call.user_id = session.link.user_id().map(str::to_owned);
        call.expiration = Some(waits.max(SHORTEST));
        call.limit = Some(TimeLimit {
            timeout: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            deadline: Some(unix_millis(SystemTime::now() + left)),
        });
        call
    }

    /// Whether a batch could not keep what is asked of the call: it has one place in its queue and one confirmation,
    /// and a server that hands calls back sends those of a batch in its own name.
    fn travels_alone(&self, call: &Message) -> bool {
        self.request.options.confirmed
            || call.priority.is_some()
            || call.user_id.is_some()
            || call.marks.attempts.is_some()
            || call.marks.in_time
    }

    /// Sends a call that is answered, and says whether that is over. Without confirmation it counts as taken when the
    /// transport has it.
    fn hand_over<'s>(
        &'s self,
        session: &'s CallSession,
        call: Message,
    ) -> (impl Future<Output = HandedOver> + Send, bool) {
        if self.request.options.confirmed {
            let publishing = session.confirms.publish(&self.request.method, call);
            return (Either::Left(publishing), false);
        }
        let publishing = session.channel.publish(&self.request.method, call);
        let is_over = matches!(publishing, Either::Left(_));
        let publishing = publishing.map_ok(|()| Receipt::Taken);
        (Either::Right(publishing), is_over)
    }

    /// Waits until the call is over for lack of time, and says how far it got.
    async fn time_out(
        &self,
        session: &CallSession,
        ticket: Option<&mut Ticket>,
        sent: &AtomicBool,
    ) -> Progress {
        let mut lane = None;
        if let Some(ticket) = ticket {
            if ticket.withdraw() {
                sleep_until(self.deadline).await;
                return Progress::NotSent;
            }
            lane = Some(ticket.lane());
        }
        let by = self.deadline + PATIENCE;
        let look = session
            .queue_inspector
            .progress(&self.request.method, lane, by);
        let end = async {
            sleep_until(self.deadline).await;
            // From now rather than from the deadline: a process that was stalled wakes late, and what came
            // meanwhile is still to be read.
            sleep(GRACE).await;
        };
        let (progress, ()) = join(look, end).await;
        if sent.load(Ordering::Relaxed) {
            progress
        } else if self.request.options.confirmed {
            // What was begun may still be written later, also where the broker blocks publishers.
            Progress::Unknown
        } else {
            Progress::NotSent
        }
    }
}

/// What comes of a call that is handed to the transport.
type HandedOver = Result<Receipt, PublishError>;

/// Why a call is not sent that comes while its connection ends.
const CLOSING: &str = "the connection is being given up";

/// An expiration of 0 would mean "only if a server is free at this moment".
const SHORTEST: Duration = Duration::from_millis(1);

/// A call expires in its queue by a sixteenth of its time, and at most this, before its deadline, so that
/// the bounce is usually here by then and tells an expired call from an unanswered one.
const EXPIRES_EARLY: Duration = Duration::from_millis(500);

/// How long after its deadline a call still waits for that bounce. Together with the timers' own delay it
/// stays well below the 50 ms within which a call promises to end.
const GRACE: Duration = Duration::from_millis(20);

/// How long after its deadline a call waits for a look at its queue.
pub(super) const PATIENCE: Duration = Duration::from_millis(25);
