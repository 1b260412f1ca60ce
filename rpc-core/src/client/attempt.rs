//! One call on its way: waits for a connection, sends the call, and turns what comes back into its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::client::request::{ClientLimits, Request};
use crate::client::session::CallSession;
use crate::connection::session::Terminated;
use crate::connection::supervisor::{ConnectionState, session_by};
use crate::error::call::RpcError;
use crate::error::progress::Progress;
use crate::error::reason::Reason;
use crate::transport::PublishError;
use crate::wire::fault::Answer;
use crate::wire::headers::{Marks, headers_size};
use crate::wire::message::{JSON, Kind, Message};

pub(crate) mod answer;
mod one_way;
mod sending;

/// A call on its way, with its deadline running.
pub(crate) struct Attempt<'a> {
    pub(crate) request: &'a Request,
    body: Bytes,
    /// What the next message of the call says of those before.
    marks: Marks,
    started: Instant,
    timeout: Duration,
    deadline: Instant,
    state: &'a watch::Receiver<ConnectionState<CallSession>>,
    limits: &'a ClientLimits,
}

/// How far a call got on one connection.
pub(crate) enum Published {
    Answered(Answer),
    /// A server took it for late, which it is not, and did not run it.
    TakenForLate,
    /// Nothing of it was sent, for this reason.
    NotSent(Reason),
    /// Its queue did not take it, but may do so later.
    Refused,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        request: &'a mut Request,
        state: &'a watch::Receiver<ConnectionState<CallSession>>,
        limits: &'a ClientLimits,
    ) -> Result<Self, RpcError> {
        let body =
            std::mem::replace(&mut request.body, Ok(Bytes::new())).map_err(|error| *error)?;
        if body.len() > limits.message_size {
            let (size, limit) = (body.len(), limits.message_size);
            return Err(RpcError::too_large(&*request.method, "body", size, limit));
        }
        let started = Instant::now();
        let deadline = request.deadline(started, limits.timeout);
        Ok(Self {
            marks: Marks {
                idempotent: request.options.idempotent,
                ..Marks::default()
            },
            request,
            body,
            started,
            timeout: deadline.duration_since(started),
            deadline,
            state,
            limits,
        })
    }

    /// The name of the method, for errors.
    pub(crate) fn method(&self) -> String {
        self.request.method.clone().into_owned()
    }

    /// What is the same of the call however it is sent.
    fn message(&self) -> Message {
        Message {
            kind: Kind::Call,
            content_type: Some(JSON.into()),
            priority: self.request.options.priority,
            marks: self.marks,
            headers: self.request.headers.clone(),
            body: self.body.clone(),
            ..Message::default()
        }
    }

    /// Writes down that another server was lost with the call, so that it does not take all with it.
    pub(crate) fn count_interruption(&mut self) {
        self.marks.attempts = Some(self.marks.attempts.unwrap_or_default() + 1);
    }

    /// Waits until one more call may be in flight.
    pub(crate) async fn permit<'s>(
        &self,
        in_flight: &'s Semaphore,
    ) -> Result<SemaphorePermit<'s>, RpcError> {
        if let Ok(permit) = in_flight.try_acquire() {
            return Ok(permit);
        }
        match Box::pin(timeout_at(self.patience(), in_flight.acquire())).await {
            Ok(Ok(permit)) => Ok(permit),
            // Never closed.
            Ok(Err(_)) => Err(self.over(Terminated::Closed, false)),
            Err(_) => {
                let most = self.limits.in_flight;
                Err(self.overloaded(&format!(
                    "{most} calls are in flight, which is all that this Rpc may have (`RpcBuilder::max_in_flight`)"
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
        // As it is now: a process that was stalled wakes late.
        if Instant::now() < patience {
            Ok(())
        } else {
            Err(self.refused())
        }
    }

    /// Waits before a call is sent again that was taken for late, and leaves it most of its time.
    pub(crate) async fn wait_in_time(&self, pause: Duration) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait(pause.min(left / 4)).await;
    }

    /// A session that takes calls, other than `not`.
    pub(crate) async fn session(
        &self,
        not: Option<&Arc<CallSession>>,
    ) -> Result<Arc<CallSession>, RpcError> {
        if not.is_none()
            && let ConnectionState::Up(session) = &*self.state.borrow()
        {
            return Ok(Arc::clone(session));
        }
        Box::pin(self.wait_for_session(not)).await
    }

    async fn wait_for_session(
        &self,
        not: Option<&Arc<CallSession>>,
    ) -> Result<Arc<CallSession>, RpcError> {
        let patience = self.patience();
        match session_by(&mut self.state.clone(), not, patience).await {
            Ok(session) => Ok(session),
            Err(ConnectionState::Closed) => Err(self.over(Terminated::Closed, false)),
            Err(ConnectionState::Down(reason)) => Err(self.not_connected(reason)),
            Err(ConnectionState::Up(session)) => {
                let reason = format!("{} takes no messages", session.link.host());
                Err(self.not_connected(reason.into()))
            }
        }
    }

    fn not_connected(&self, reason: Reason) -> RpcError {
        RpcError::not_connected(self.method(), self.started.elapsed(), reason.words)
            .caused_by(reason.source)
    }

    /// Headers travel in one frame with the other properties; one that does not fit would cost the whole
    /// connection.
    pub(crate) fn check_headers(&self, call: &Message, limit: usize) -> Result<(), RpcError> {
        let size = headers_size(&call.headers);
        if size <= limit {
            return Ok(());
        }
        Err(RpcError::too_large(self.method(), "headers", size, limit))
    }

    pub(crate) async fn wait_while_blocked(&self, session: &CallSession) -> Result<(), RpcError> {
        let Some(reason) = session.link.blocked() else {
            return Ok(());
        };
        if self.limits.fail_fast {
            return Err(self.blocked(reason));
        }
        let waiting = async {
            tokio::select! {
            () = session.link.unblocked() => Ok(()),
            // Whoever published the loss has a new session for us, or none.
            _ = session.link.lost() => Ok(()),
            () = sleep_until(self.deadline) => Err(self.blocked(reason)),
            }
        };
        Box::pin(waiting).await
    }

    /// What comes of a call that could not be published.
    pub(crate) fn unpublished(
        &self,
        session: &CallSession,
        error: PublishError,
    ) -> Result<Published, RpcError> {
        if !error.sent {
            return Ok(Published::NotSent(*error.reason));
        }
        let reason = error.reason.at(session.link.host());
        Err(self.over(Terminated::Lost(reason), true))
    }

    /// What a call that was not sent ends with if it may not wait for another connection.
    pub(crate) fn not_sent(&self, reason: Reason) -> RpcError {
        self.over(Terminated::Lost(reason), false)
    }

    fn over(&self, over: Terminated, sent: bool) -> RpcError {
        let method = self.method();
        match over {
            Terminated::Lost(reason) => {
                RpcError::connection_lost(method, sent, reason.words).caused_by(reason.source)
            }
            Terminated::Closed => RpcError::closed(method),
        }
    }

    pub(crate) fn unroutable(&self) -> RpcError {
        RpcError::no_such_method(self.method())
    }

    /// What a call ends with that its queue did not take.
    pub(crate) fn refused(&self) -> RpcError {
        self.overloaded(REFUSED)
    }

    /// What a call ends with that finds no room before it is in its queue.
    pub(crate) fn overloaded(&self, reason: &str) -> RpcError {
        RpcError::overloaded(self.method(), false, reason)
    }

    fn blocked(&self, reason: String) -> RpcError {
        RpcError::blocked(self.method(), reason)
    }

    pub(crate) fn timed_out(&self, progress: Progress) -> RpcError {
        RpcError::timeout(self.method(), self.timeout, progress)
    }
}

/// Why a call fails that its queue did not take for all its time.
const REFUSED: &str = "its queue takes none: it is full, or too few nodes of its cluster run";
