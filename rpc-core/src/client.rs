//! The calling end: makes calls over a connection that is kept up.

use std::sync::Arc;

use crate::attempt::{Attempt, Published};
use crate::call::Request;
use crate::call_session::CallSession;
use crate::connect_error::ConnectError;
use crate::error::RpcError;
use crate::fault::Fault;
use crate::supervisor::{State, Supervisor};
use crate::transport::{Purpose, Transport};

/// Sends calls over a connection that is kept up.
#[derive(Debug)]
pub(crate) struct Client {
    supervisor: Supervisor<CallSession>,
    limits: Limits,
}

/// What a client refuses to do.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The largest body, in bytes.
    pub(crate) message_size: usize,
    /// Whether calls fail at once, instead of at their deadline, while there is no connection.
    pub(crate) fail_fast: bool,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The body of a result.
    Value(Vec<u8>),
    Fault(Fault),
}

impl Client {
    pub(crate) async fn connect(
        transport: Arc<dyn Transport>,
        limits: Limits,
    ) -> Result<Self, ConnectError> {
        let supervisor = Supervisor::start(transport, Purpose::Calling).await?;
        Ok(Self { supervisor, limits })
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
    pub(crate) async fn call(&self, request: Request) -> Result<Answer, RpcError> {
        let mut attempt = Attempt::new(request, self.supervisor.watch(), &self.limits)?;
        let mut session = attempt.session(None).await?;
        loop {
            let published = if attempt.one_way {
                attempt.publish_one_way(&session).await?
            } else {
                attempt.publish(&session).await?
            };
            match published {
                Published::Answered(answer) => return Ok(answer),
                Published::NotSent(reason) if self.limits.fail_fast => {
                    return Err(attempt.not_sent(reason));
                }
                // The next connection may have it.
                Published::NotSent(_) => session = attempt.session(Some(&session)).await?,
            }
        }
    }
}
