//! The calling side: sends calls over a connection that is re-established when it is lost.

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

use crate::connection::supervisor::{ConnectionState, Supervisor};
use crate::error::connect::ConnectError;
use crate::error::progress::Progress;
use crate::error::rpc_error::RpcError;
use crate::transport::backoff::Backoff;
use crate::transport::{Purpose, Transport};
use crate::wire::batching::Batching;
use crate::wire::fault::Answer;
use attempt::{Attempt, Published};
use request::{ClientLimits, Request};
use session::{CallSession, SessionOptions};

/// Sends calls over a connection that its supervisor re-establishes when it is lost.
#[derive(Debug)]
pub(crate) struct Client {
    supervisor: Supervisor<CallSession>,
    pub(crate) limits: ClientLimits,
    /// One permit per call in flight.
    permits: Semaphore,
}

impl Client {
    pub(crate) async fn connect(
        transport: Arc<dyn Transport>,
        limits: ClientLimits,
        batching: Batching,
    ) -> Result<Self, ConnectError> {
        let options = SessionOptions {
            batching,
            message_size: limits.message_size,
        };
        let supervisor = Supervisor::start(transport, Purpose::Calling, options).await?;
        Ok(Self {
            supervisor,
            permits: Semaphore::new(limits.in_flight),
            limits,
        })
    }

    /// The number of calls that are being sent or wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        match &*self.supervisor.watch().borrow() {
            ConnectionState::Up(session) => session.pending.len(),
            ConnectionState::Down(_) | ConnectionState::Closed => 0,
        }
    }

    /// Ends all pending calls as `Closed`, then closes the connection.
    pub(crate) async fn close(&self) {
        self.supervisor.close().await;
    }

    /// Makes one call.
    ///
    /// It ends by its deadline, plus a moment for the broker's answer. Dropping the future forgets
    /// the call.
    pub(crate) async fn call(&self, request: &mut Request) -> Result<Answer, RpcError> {
        let mut attempt = Attempt::new(request, self.supervisor.watch(), &self.limits)?;
        let _permit = attempt.permit(&self.permits).await?;
        let mut backoff = Backoff::default();
        // The error of an earlier attempt, in which the call may have run.
        // Boxed, because few calls need it.
        let mut doubt: Option<Box<RpcError>> = None;
        let mut lost = None;
        loop {
            let error = match self.send(&mut attempt, &mut lost).await {
                // No server started the call this time, but one may have earlier, so that error
                // counts.
                Ok(answer) => match doubt {
                    Some(doubt) if !answer.may_have_run() => return Err(*doubt),
                    _ => return Ok(answer),
                },
                Err(error) => error,
            };
            match doubt {
                // This attempt did not run the call, but an earlier one may have, so its error
                // counts.
                Some(doubt) if !is_news(&error) => return Err(*doubt),
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
                "resending an idempotent call"
            );
            // If no time is left, the next attempt reports that at once.
            Box::pin(attempt.wait(backoff.next_wait())).await;
        }
    }

    /// Sends the call once, on the first connection that accepts it.
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
                // The next message is marked as in time. Servers of this library believe that, but
                // other implementations need not, so the resends back off.
                Ok(Published::TakenForLate) => {
                    Box::pin(attempt.wait_in_time(backoff.next_wait())).await;
                }
                Ok(Published::NotSent(reason)) if self.limits.fail_fast => {
                    return Err(attempt.not_sent(reason));
                }
                // The next connection may accept the call.
                Ok(Published::NotSent(_)) => *lost = Some(session),
                Ok(Published::Refused) => {
                    is_refused = true;
                    debug!(
                        method = &*attempt.request.method,
                        "resending a call that its queue refused"
                    );
                    Box::pin(attempt.wait_for_queue(backoff.next_wait())).await?;
                }
                // No time was left to send the call to its queue once more.
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

/// Whether an error says more of a call than that it may have run before.
///
/// A call that came back from its queue has run this time only if a server was lost with it. That is
/// less than what is known of an earlier loss.
fn is_news(error: &RpcError) -> bool {
    let came_back = matches!(
        error,
        RpcError::Expired { .. } | RpcError::Overloaded { .. } | RpcError::Rejected { .. }
    );
    error.may_have_run() && !came_back
}

/// Whether another attempt may succeed.
fn is_worth_repeating(error: &RpcError) -> bool {
    matches!(
        error,
        RpcError::ConnectionLost { .. } | RpcError::Interrupted { .. }
    )
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
