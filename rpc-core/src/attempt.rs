//! One call on its way: waits for a connection, sends the call, and turns what comes back into its end.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::call::Request;
use crate::call_session::CallSession;
use crate::client::{Answer, Limits};
use crate::error::RpcError;
use crate::message::{
    ATTEMPTS, DEADLINE, FROM, IDEMPOTENT, JSON, Kind, Message, TIMEOUT, headers_size, unix_millis,
};
use crate::pending::Over;
use crate::progress::Progress;
use crate::supervisor::{State, session_by};
use crate::transport::{PublishError, Receipt};

mod answer;

/// A call on its way, with its deadline running.
pub(crate) struct Attempt<'a> {
    pub(crate) method: String,
    pub(crate) one_way: bool,
    pub(crate) idempotent: bool,
    pub(crate) confirmed: bool,
    pub(crate) call: Message,
    started: Instant,
    timeout: Duration,
    pub(crate) deadline: Instant,
    state: watch::Receiver<State<CallSession>>,
    limits: &'a Limits,
}

/// How far a call got on one connection.
pub(crate) enum Published {
    Answered(Answer),
    /// A server took it for late, which it is not, and did not run it.
    TakenForLate,
    /// Nothing of it was sent, for this reason.
    NotSent(String),
    /// Its queue did not take it, but may do so later.
    Refused,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        request: Request,
        state: watch::Receiver<State<CallSession>>,
        limits: &'a Limits,
    ) -> Result<Self, RpcError> {
        let started = Instant::now();
        let deadline = request.deadline(started);
        let method = request.method.into_owned();
        let body = request.body?;
        if body.len() > limits.message_size {
            return Err(RpcError::TooLarge {
                method,
                what: "body".into(),
                size: body.len(),
                limit: limits.message_size,
            });
        }
        let call = Message {
            kind: Kind::Call,
            content_type: Some(JSON.into()),
            priority: request.priority,
            headers: request.headers,
            body,
            ..Message::default()
        };
        Ok(Self {
            method,
            one_way: request.one_way,
            idempotent: request.idempotent,
            confirmed: request.confirmed,
            call,
            started,
            timeout: deadline.duration_since(started),
            deadline,
            state,
            limits,
        })
    }

    /// Writes down that another server was lost with the call, so that it does not take all with it.
    pub(crate) fn count_interruption(&mut self) {
        let count = self.call.headers.get(ATTEMPTS).and_then(Value::as_u64);
        let count = count.unwrap_or_default() + 1;
        self.call.headers.insert(ATTEMPTS.into(), count.into());
    }

    /// Waits for room among the calls in flight; it is given back with what this returns.
    pub(crate) async fn room<'r>(
        &self,
        room: &'r Semaphore,
    ) -> Result<SemaphorePermit<'r>, RpcError> {
        if let Ok(permit) = room.try_acquire() {
            return Ok(permit);
        }
        match timeout_at(self.patience(), room.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            // Never closed.
            Ok(Err(_)) => Err(self.over(Over::Closed, false)),
            Err(_) => {
                let most = self.limits.in_flight;
                Err(self.overloaded(format!(
                    "{most} are in flight, and this Rpc makes no more at a time (`max_in_flight`)"
                )))
            }
        }
    }

    /// Until when the call waits for what it needs to be sent.
    fn patience(&self) -> Instant {
        if self.limits.fail_fast {
            Instant::now()
        } else {
            self.deadline
        }
    }

    /// Waits before another attempt, until the deadline at most.
    pub(crate) async fn wait(&self, pause: Duration) {
        sleep_until(self.deadline.min(Instant::now() + pause)).await;
    }

    /// Waits before a call is sent again that its queue did not take, if there is time left.
    pub(crate) async fn wait_for_queue(&self, pause: Duration) -> Result<(), RpcError> {
        let (again, patience) = (Instant::now() + pause, self.patience());
        sleep_until(again.min(patience)).await;
        if again < patience {
            Ok(())
        } else {
            Err(self.overloaded(REFUSED.into()))
        }
    }

    /// Waits before a call is sent again that was taken for late, and leaves it most of its time.
    pub(crate) async fn wait_in_time(&self, pause: Duration) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait(pause.min(left / 4)).await;
    }

    /// A session that takes calls, other than `not`.
    pub(crate) async fn session(
        &mut self,
        not: Option<&Arc<CallSession>>,
    ) -> Result<Arc<CallSession>, RpcError> {
        let patience = self.patience();
        match session_by(&mut self.state, not, patience).await {
            Ok(session) => Ok(session),
            Err(State::Closed) => Err(self.over(Over::Closed, false)),
            Err(State::Down(reason)) => Err(RpcError::NotConnected {
                method: self.method.clone(),
                waited: self.started.elapsed(),
                reason,
            }),
            Err(State::Up(session)) => Err(RpcError::NotConnected {
                method: self.method.clone(),
                waited: self.started.elapsed(),
                reason: format!("{} takes no messages", session.link.host()),
            }),
        }
    }

    /// Sends the call over `session` and waits for what comes back.
    pub(crate) async fn publish(&mut self, session: &CallSession) -> Result<Published, RpcError> {
        self.wait_while_blocked(session).await?;
        let mut entry = match session.pending.enter() {
            Ok(entry) => entry,
            Err(Over::Lost(reason)) => return Ok(Published::NotSent(reason)),
            Err(Over::Closed) => return Err(self.over(Over::Closed, false)),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left < SHORTEST {
            sleep_until(self.deadline).await;
            return Err(self.timed_out(Progress::NotSent));
        }
        let mut call = self.call.clone();
        call.correlation_id = Some(entry.id().to_string());
        call.reply_to = Some(session.channel.reply_queue().to_owned());
        call.user_id = session.link.user_id().map(str::to_owned);
        let early = (left / 16).min(EXPIRES_EARLY);
        call.expiration = Some((left - early).max(SHORTEST));
        call.headers
            .insert(FROM.into(), session.channel.reply_queue().into());
        if self.idempotent {
            call.headers.insert(IDEMPOTENT.into(), true.into());
        }
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        call.headers.insert(TIMEOUT.into(), millis.into());
        call.headers.insert(
            DEADLINE.into(),
            unix_millis(SystemTime::now() + left).into(),
        );
        self.check_headers(&call, session.channel.header_limit())?;

        let sending = async {
            let sent = timeout_at(self.deadline, self.hand_over(session, call));
            match sent.await {
                // Its answer is what ends it.
                Ok(Ok(Receipt::Taken)) => pending().await,
                Ok(Ok(Receipt::Unroutable)) => Err(self.unroutable()),
                Ok(Ok(Receipt::Refused)) => Ok(Published::Refused),
                Ok(Err(error)) => self.unpublished(session, error),
                // What was begun may still be written later, also where the broker blocks publishers.
                Err(_) => Err(self.timed_out(Progress::Unknown)),
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = entry.outcome() => outcome,
            // Beside the answer, which may come before the confirmation.
            ended = sending => return ended,
            progress = self.time_out(session, early) => return Err(self.timed_out(progress)),
        };
        self.answer(outcome).await
    }

    /// Sends a call that is answered. Without confirmation it counts as taken when it is written.
    async fn hand_over(
        &self,
        session: &CallSession,
        call: Message,
    ) -> Result<Receipt, PublishError> {
        if self.confirmed {
            return session.confirms.publish(&self.method, call).await;
        }
        let publishing = session.channel.publish(&self.method, call);
        publishing.await.map(|()| Receipt::Taken)
    }

    /// Waits until the call is over for lack of time, and says how far it got.
    async fn time_out(&self, session: &CallSession, early: Duration) -> Progress {
        // A little before, so that the broker's answer is there by the deadline.
        sleep_until(self.deadline - early / 2).await;
        let look = session
            .lookout
            .progress(&self.method, self.deadline + PATIENCE);
        let end = async {
            sleep_until(self.deadline).await;
            // From now rather than from the deadline: a process that was stalled wakes late, and what came
            // meanwhile is still to be read.
            sleep(GRACE).await;
        };
        join(look, end).await.0
    }

    /// Headers travel in one frame with the other properties; one that does not fit would cost the whole
    /// connection.
    pub(crate) fn check_headers(&self, call: &Message, limit: usize) -> Result<(), RpcError> {
        let size = headers_size(&call.headers);
        if size <= limit {
            return Ok(());
        }
        Err(RpcError::TooLarge {
            method: self.method.clone(),
            what: "headers".into(),
            size,
            limit,
        })
    }

    pub(crate) async fn wait_while_blocked(&self, session: &CallSession) -> Result<(), RpcError> {
        let Some(reason) = session.link.blocked() else {
            return Ok(());
        };
        if self.limits.fail_fast {
            return Err(self.blocked(reason));
        }
        tokio::select! {
            () = session.link.unblocked() => Ok(()),
            // Whoever published the loss has a new session for us, or none.
            _ = session.link.lost() => Ok(()),
            () = sleep_until(self.deadline) => Err(self.blocked(reason)),
        }
    }

    /// What comes of a call that could not be published.
    pub(crate) fn unpublished(
        &self,
        session: &CallSession,
        error: PublishError,
    ) -> Result<Published, RpcError> {
        if !error.sent {
            return Ok(Published::NotSent(error.reason));
        }
        let reason = format!("{}: {}", session.link.host(), error.reason);
        Err(self.over(Over::Lost(reason), true))
    }

    /// What a call that was not sent ends with if it may not wait for another connection.
    pub(crate) fn not_sent(&self, reason: String) -> RpcError {
        self.over(Over::Lost(reason), false)
    }

    fn over(&self, over: Over, sent: bool) -> RpcError {
        let method = self.method.clone();
        match over {
            Over::Lost(reason) => RpcError::ConnectionLost {
                method,
                sent,
                reason,
            },
            Over::Closed => RpcError::Closed { method },
        }
    }

    pub(crate) fn unroutable(&self) -> RpcError {
        RpcError::NoSuchMethod {
            method: self.method.clone(),
        }
    }

    pub(crate) fn overloaded(&self, reason: String) -> RpcError {
        RpcError::Overloaded {
            method: self.method.clone(),
            reason,
        }
    }

    fn blocked(&self, reason: String) -> RpcError {
        RpcError::Blocked {
            method: self.method.clone(),
            reason,
        }
    }

    pub(crate) fn timed_out(&self, progress: Progress) -> RpcError {
        RpcError::Timeout {
            method: self.method.clone(),
            after: self.timeout,
            progress,
        }
    }
}

/// Why a call bounces that finds no room.
pub(crate) const FULL: &str = "its queue is full";

/// Why a call fails that its queue did not take for all its time.
const REFUSED: &str = "its queue takes none: it is full, or too few nodes of its cluster run";

/// An expiration of 0 would mean "only if a server is free at this moment".
const SHORTEST: Duration = Duration::from_millis(1);

/// A call expires in its queue by a sixteenth of its time, and at most this, before its deadline, so that
/// the bounce is usually here by then and tells an expired call from an unanswered one.
const EXPIRES_EARLY: Duration = Duration::from_millis(500);

/// How long after its deadline a call still waits for that bounce. Together with the timers' own delay it
/// stays well below the 50 ms within which a call promises to end.
const GRACE: Duration = Duration::from_millis(20);

/// How long after its deadline a call waits for a look at its queue.
const PATIENCE: Duration = Duration::from_millis(25);
