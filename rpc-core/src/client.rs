//! The calling end: makes calls over a connection that is kept up.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tracing::debug;

use crate::attempt::{Attempt, Published};
use crate::backoff::Backoff;
use crate::call::Request;
use crate::call_session::CallSession;
use crate::connect_error::ConnectError;
use crate::error::RpcError;
use crate::fault::Fault;
use crate::lane::options::Batching;
use crate::progress::Progress;
use crate::supervisor::{State, Supervisor};
use crate::transport::{Purpose, Transport};

/// Sends calls over a connection that is kept up.
#[derive(Debug)]
pub(crate) struct Client {
    supervisor: Supervisor<CallSession>,
    limits: Limits,
    /// For calls in flight.
    room: Semaphore,
}

/// What a client refuses to do.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The largest body, in bytes.
    pub(crate) message_size: usize,
    /// How many calls may be in flight; others wait for their turn.
    pub(crate) in_flight: usize,
    /// Whether calls fail at once, instead of at their deadline, while there is no connection.
    pub(crate) fail_fast: bool,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Bytes),
    Fault(Fault),
}

impl Client {
    pub(crate) async fn connect(
        transport: Arc<dyn Transport>,
        limits: Limits,
        batching: Batching,
    ) -> Result<Self, ConnectError> {
        let supervisor = Supervisor::start(transport, Purpose::Calling, batching).await?;
        Ok(Self {
            supervisor,
            room: Semaphore::new(limits.in_flight),
            limits,
        })
    }

    /// How many calls wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        match &*self.supervisor.watch().borrow() {
            State::Up(session) => session.pending.len(),
            State::Down(_) | State::Closed => 0,
        }
    }

    /// Ends the calls that wait as `Closed`, then the connection.
    pub(crate) async fn close(&self) {
        self.supervisor.close().await;
    }

    /// Makes one call. Ends by the deadline plus a moment for the broker's word; dropping it forgets the call.
    pub(crate) async fn call(&self, request: Box<Request>) -> Result<Answer, RpcError> {
        let mut attempt = Attempt::new(request, self.supervisor.watch(), &self.limits)?;
        let _room = attempt.room(&self.room).await?;
        let mut backoff = Backoff::default();
        // What became of the call when it was last sent, from where it may have run.
        // Boxed, as few calls need it.
        let mut doubt: Option<Box<RpcError>> = None;
        let mut lost = None;
        loop {
            let error = match self.send(&mut attempt, &mut lost).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match doubt {
                // That the call was not sent again, or did not run then, says nothing of the first time.
                Some(doubt) if !may_have_run(&error) => return Err(*doubt),
                _ if !attempt.idempotent || !is_worth_repeating(&error) => return Err(error),
                _ => doubt = Some(Box::new(error)),
            }
            if let Some(RpcError::Interrupted { .. }) = doubt.as_deref() {
                attempt.count_interruption();
            }
            debug!(
                method = &*attempt.method,
                "an idempotent call is sent again"
            );
            // Where there is no time left, the next attempt says so at once.
            Box::pin(attempt.wait(backoff.next_wait())).await;
        }
    }

    /// Sends a call once, on the first connection that takes it.
    async fn send(
        &self,
        attempt: &mut Attempt<'_>,
        lost: &mut Option<Arc<CallSession>>,
    ) -> Result<Answer, RpcError> {
        let mut backoff = Backoff::default();
        let mut is_refused = false;
        loop {
            let session = attempt.session(lost.as_ref()).await?;
            let published = if attempt.one_way {
                Box::pin(attempt.publish_one_way(&session)).await
            } else {
                attempt.publish(&session).await
            };
            match published {
                Ok(Published::Answered(answer)) => return Ok(answer),
                // Servers believe it then; not all of those that others write need to.
                Ok(Published::TakenForLate) => {
                    Box::pin(attempt.wait_in_time(backoff.next_wait())).await;
                }
                Ok(Published::NotSent(reason)) if self.limits.fail_fast => {
                    return Err(attempt.not_sent(reason));
                }
                // The next connection may have it.
                Ok(Published::NotSent(_)) => *lost = Some(session),
                Ok(Published::Refused) => {
                    is_refused = true;
                    debug!(
                        method = &*attempt.method,
                        "a call that its queue refused is sent again"
                    );
                    Box::pin(attempt.wait_for_queue(backoff.next_wait())).await?;
                }
                // No time was left to ask the queue once more.
                Err(RpcError::Timeout {
                    progress: Progress::NotSent,
                    ..
                }) if is_refused => return Err(attempt.refused()),
                Err(error) => {
                    if let RpcError::ConnectionLost { .. } = error {
                        *lost = Some(session);
                    }
                    return Err(error);
                }
            }
        }
    }
}

/// What another attempt may mend.
fn is_worth_repeating(error: &RpcError) -> bool {
    matches!(
        error,
        RpcError::ConnectionLost { .. } | RpcError::Interrupted { .. }
    )
}

/// Whether the call may have run, or has, as far as this error tells.
fn may_have_run(error: &RpcError) -> bool {
    if let RpcError::Timeout { progress, .. } = error {
        return *progress != Progress::NotSent;
    }
    matches!(
        error,
        RpcError::ConnectionLost { sent: true, .. }
            | RpcError::Interrupted { .. }
            | RpcError::Remote(_)
            | RpcError::Decode { .. }
            | RpcError::Closed { .. }
    )
}
