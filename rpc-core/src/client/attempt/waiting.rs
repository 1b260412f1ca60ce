//! What a call waits for before it is sent: a permit, a connection, its next attempt.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Attempt;
use crate::client::session::CallSession;
use crate::connection::session::Terminated;
use crate::connection::supervisor::{ConnectionState, session_by};
use crate::error::rpc_error::RpcError;

impl Attempt<'_> {
    /// Waits for a permit: until one more call may be in flight.
    pub(crate) async fn permit<'s>(
        &self,
        in_flight: &'s Semaphore,
    ) -> Result<SemaphorePermit<'s>, RpcError> {
        if let Ok(permit) = in_flight.try_acquire() {
            return Ok(permit);
        }
        match Box::pin(timeout_at(self.patience(), in_flight.acquire())).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed.
            Ok(Err(_)) => Err(self.over(Terminated::Closed, false)),
            Err(_) => {
                let most = self.limits.in_flight;
                Err(self.overloaded(&format!(
                    "{most} calls are in flight, which is all that this Rpc may have (`RpcBuilder::max_in_flight`)"
                )))
            }
        }
    }

    /// The time until which the call waits for what it needs before it can be sent.
    fn patience(&self) -> Instant {
        if self.limits.fail_fast {
            Instant::now()
        } else {
            self.deadline
        }
    }

    /// Waits before another attempt, but not beyond the deadline.
    pub(crate) async fn wait(&self, pause: Duration) {
        sleep_until(self.deadline.min(Instant::now() + pause)).await;
    }

    /// Waits before a call that its queue refused is sent again. Fails if no time is left.
    pub(crate) async fn wait_for_queue(&self, pause: Duration) -> Result<(), RpcError> {
        let (again, patience) = (Instant::now() + pause, self.patience());
        sleep_until(again.min(patience)).await;
        // The clock is read again, because a stalled process wakes up late.
        if Instant::now() < patience {
            Ok(())
        } else {
            Err(self.refused())
        }
    }

    /// Waits before a call that was wrongly judged expired is sent again. Leaves it most of its time.
    pub(crate) async fn wait_in_time(&self, pause: Duration) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait(pause.min(left / 4)).await;
    }

    /// Returns a session that accepts calls, other than `not`.
    pub(crate) async fn session(
        &self,
        not: Option<&Arc<CallSession>>,
    ) -> Result<Arc<CallSession>, RpcError> {
        if not.is_none()
            && let ConnectionState::Up(session) = &*self.state.borrow()
            && session.link.blocked().is_none()
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
            Ok(session) => {
                self.wait_while_blocked(&session).await?;
                Ok(session)
            }
            Err(ConnectionState::Closed) => Err(self.over(Terminated::Closed, false)),
            Err(ConnectionState::Down(reason)) => Err(self.not_connected(reason)),
            Err(ConnectionState::Up(session)) => {
                let reason = format!("{} takes no messages", session.link.host());
                Err(self.not_connected(reason.into()))
            }
        }
    }

    async fn wait_while_blocked(&self, session: &CallSession) -> Result<(), RpcError> {
        let Some(reason) = session.link.blocked() else {
            return Ok(());
        };
        if self.limits.fail_fast {
            return Err(self.blocked(reason));
        }
        tokio::select! {
            () = session.link.unblocked() => Ok(()),
            // The call then finds its session ended, and waits for the next one, if there is one.
            _ = session.link.lost() => Ok(()),
            () = sleep_until(self.deadline) => Err(self.blocked(reason)),
        }
    }
}
