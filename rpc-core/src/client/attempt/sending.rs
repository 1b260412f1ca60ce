//! Sends a call, and waits for what comes back.
//!
//! Each call in flight keeps one of these futures in memory, so what few calls need is boxed.

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
use crate::error::progress::Progress;
use crate::error::rpc_error::RpcError;
use crate::transport::{PublishError, Receipt};
use crate::wire::content::Content;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::fault::Answer;
use crate::wire::message::{Kind, Message, TimeLimit, unix_millis};

impl Attempt<'_> {
    /// Sends the call over `session` and waits for what comes back.
    pub(crate) async fn publish(&mut self, session: &CallSession) -> Result<Published, RpcError> {
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
        let Some(Departure {
            handing_over,
            handed_over,
            mut ticket,
        }) = self.depart(session, entry.id(), left, left - early)?
        else {
            return Ok(Published::NotSent(CLOSING.into()));
        };
        // A call in a batcher counts as sent. Where that matters, it either was sent by then or is
        // withdrawn.
        let sent = AtomicBool::new(handed_over);
        let sending = async {
            if let Some(handing_over) = handing_over {
                match handing_over.await {
                    Ok(Receipt::Taken) => sent.store(true, Ordering::Relaxed),
                    Ok(Receipt::Unroutable) => return Err(self.unroutable()),
                    Ok(Receipt::Refused) => return Ok(Published::Refused),
                    Err(error) => return self.unpublished(session, error),
                }
            }
            // From here on, only the answer ends the call.
            pending().await
        };
        let late = async {
            // A little early, so that the broker has answered by the deadline.
            sleep_until(self.deadline - early / 2).await;
            Box::pin(self.time_out(session, ticket.as_mut(), &sent)).await
        };
        let outcome = tokio::select! {
            biased;
            outcome = entry.outcome() => outcome,
            // Polled together with the answer, which may arrive before the confirmation.
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
                if reply.kind == Kind::Result && reply.extras.too_large.is_none() =>
            {
                let content = Content::of(&reply);
                Ok(Published::Answered(Answer::Value(reply.body, content)))
            }
            // The transport has held the call back, because the network accepted no more.
            Outcome::Terminated(Terminated::Lost(reason))
                if !self.request.options.confirmed && !sent.load(Ordering::Relaxed) =>
            {
                Ok(Published::NotSent(reason))
            }
            outcome => Box::pin(self.answer(session, outcome)).await,
        }
    }

    /// Starts to send the call: individually, or through its batcher. `None` if nothing can be sent any
    /// more.
    ///
    /// Not part of [`publish`](Self::publish), whose future would otherwise reserve memory for every
    /// variable that the call passes through.
    fn depart<'s>(
        &'s self,
        session: &'s CallSession,
        id: CorrelationId,
        left: Duration,
        expires_in: Duration,
    ) -> Result<Option<Departure<impl Future<Output = HandedOver> + use<'s>>>, RpcError> {
        let reply_queue = session.channel.reply_queue();
        let call = Message {
            reply_to: Some(Arc::clone(reply_queue)),
            from: Some(Arc::clone(reply_queue)),
            expiration: Some(expires_in.max(SHORTEST)),
            limit: Some(TimeLimit {
                timeout: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
                deadline: Some(unix_millis(SystemTime::now() + left)),
            }),
            marks: self.marks,
            ..self.message(session, id)
        };
        let method = &*self.request.method;
        let confirmed = self.request.options.confirmed;
        // What a batch cannot give: a batch has one place in its queue and one confirmation, and a server
        // that hands back the calls of a batch sends them in its own name.
        let travels_alone = confirmed
            || call.priority.is_some()
            || call.user_id.is_some()
            || call.marks.attempts.is_some()
            || call.marks.in_time;
        let (call, ticket) = if travels_alone {
            (call, None)
        } else {
            match session.batch_sender.enter(method, call) {
                Sending::Goes(call, ticket) => (call, ticket),
                Sending::Waits(ticket) => {
                    return Ok(Some(Departure {
                        handing_over: None,
                        handed_over: true,
                        ticket: Some(ticket),
                    }));
                }
                Sending::Terminated => return Ok(None),
            }
        };
        let (handing_over, handed_over) = if confirmed {
            let publishing = session.confirms.publish(method, call);
            (Either::Left(publishing), false)
        } else {
            let publishing = session.channel.publish(method, call);
            let handed_over = matches!(publishing, Either::Left(_));
            // An unconfirmed call counts as taken as soon as the transport has it.
            (
                Either::Right(publishing.map_ok(|()| Receipt::Taken)),
                handed_over,
            )
        };
        Ok(Some(Departure {
            handing_over: Some(handing_over),
            handed_over,
            ticket,
        }))
    }

    /// Waits until the call has timed out, and returns how far it got.
    async fn time_out(
        &self,
        session: &CallSession,
        ticket: Option<&mut Ticket>,
        sent: &AtomicBool,
    ) -> Progress {
        let mut batch_queue = None;
        if let Some(ticket) = ticket {
            if ticket.withdraw() {
                sleep_until(self.deadline).await;
                return Progress::NotSent;
            }
            batch_queue = Some(ticket.batch_queue());
        }
        let by = self.deadline + PATIENCE;
        let look = session
            .queue_inspector
            .progress(&self.request.method, batch_queue, by);
        let end = async {
            sleep_until(self.deadline).await;
            // Counted from now, not from the deadline: a stalled process wakes up late, and must
            // still read what arrived meanwhile.
            sleep(GRACE).await;
        };
        let (progress, ()) = join(look, end).await;
        if sent.load(Ordering::Relaxed) {
            progress
        } else if self.request.options.confirmed {
            // A publish that has begun may still be written later, even if the broker blocks
            // publishers.
            Progress::Unknown
        } else {
            Progress::NotSent
        }
    }
}

/// A call that is on its way.
struct Departure<F> {
    /// Ends when the transport, or the broker if it confirms, has a call that goes by itself.
    handing_over: Option<F>,
    /// Whether that is over.
    handed_over: bool,
    /// That of a call that may go with others.
    ticket: Option<Ticket>,
}

/// The result of publishing a call.
type HandedOver = Result<Receipt, PublishError>;

/// Why a call that starts while its connection ends is not sent.
const CLOSING: &str = "the connection is closing";

/// The shortest expiration. To the broker, 0 means "only if a server is free at this moment".
const SHORTEST: Duration = Duration::from_millis(1);

/// A call expires in its queue before its deadline: earlier by a sixteenth of its time, and by at
/// most this. The bounce has then usually arrived by the deadline, and tells an expired call from
/// an unanswered one.
const EXPIRES_EARLY: Duration = Duration::from_millis(500);

/// How long a call still waits for that bounce after its deadline. Together with the delay of the
/// timers, this stays well below the 50 ms within which a call promises to end.
const GRACE: Duration = Duration::from_millis(20);

/// How long a call waits for the inspection of its queue after its deadline.
pub(super) const PATIENCE: Duration = Duration::from_millis(25);
