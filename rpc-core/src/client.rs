//! The calling end: makes calls over a connection that is kept up.

pub(crate) mod attempt;
pub(crate) mod batch_sender;
pub(crate) mod batcher;
pub(crate) mod call;
pub(crate) mod pending;
pub(crate) mod queue_inspector;
pub(crate) mod request;
pub(crate) mod session;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::debug;

use crate::connection::supervisor::Supervisor;
use crate::error::call::RpcError;
use crate::error::connect::ConnectError;
use crate::error::progress::Progress;
use crate::transport::backoff::Backoff;
use crate::transport::{Purpose, Transport};
use crate::wire::batching::Batching;
use crate::wire::fault::Answer;
use attempt::{Attempt, Published};
use request::{ClientLimits, Request};
use session::CallSession;

/// Sends calls over a connection that is kept up.
#[derive(Debug)]
pub(crate) struct Client {
    supervisor: Supervisor<CallSession>,
    pub(crate) limits: ClientLimits,
    /// A permit for each call in flight.
    in_flight: Semaphore,
}

impl Client {
    pub(crate) async fn connect(
        transport: Arc<dyn Transport>,
        limits: ClientLimits,
        batching: Batching,
    ) -> Result<Self, ConnectError> {
        let supervisor = Supervisor::start(transport, Purpose::Calling, batching).await?;
        Ok(Self {
            supervisor,
            in_flight: Semaphore::new(limits.in_flight),
            limits,
        })
    }

    /// How many calls have begun and not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.limits.in_flight - self.in_flight.available_permits()
    }

    /// Ends the calls that wait as `Closed`, then the connection.
    pub(crate) async fn close(&self) {
        self.supervisor.close().await;
    }

    /// Makes one call. Ends by the deadline plus a moment for the broker's word; dropping it forgets the call.
    pub(crate) async fn call(&self, request: &mut Request) -> Result<Answer, RpcError> {
        let mut attempt = Attempt::new(request, self.supervisor.watch(), &self.limits)?;
        let _permit = attempt.permit(&self.in_flight).await?;
        let mut backoff = Backoff::default();
        // What became of the call when it was last sent, from where it may have run.
        // Boxed, as few calls need it.
        let mut doubt: Option<Box<RpcError>> = None;
        let mut lost = None;
        loop {
            let error = match self.send(&mut attempt, &mut lost).await {
                // That a server did not start it says nothing of the first time, either.
                Ok(answer) => match doubt {
                    Some(doubt) if !answer.may_have_run() => return Err(*doubt),
                    _ => return Ok(answer),
                },
                Err(error) => error,
            };
            match doubt {
                // That the call was not sent again, or did not run then, says nothing of the first time.
                Some(doubt) if !error.may_have_run() => return Err(*doubt),
                _ if !attempt.request.options.idempotent || !is_worth_repeating(&error) => {
                    return Err(error);
                }
                _ => doubt = Some(Box::new(error)),
            }
            if let Some(RpcError::Interrupted { .. }) = doubt.as_deref() {
                attempt.count_interruption();
            }
            debug!(
                method = &*attempt.request.method,
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
            let published = if attempt.request.options.one_way {
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
                        method = &*attempt.request.method,
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

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
