//! One call that is not answered, on its way.

use futures_util::FutureExt;
use tokio::time::timeout_at;

use crate::attempt::{Attempt, FULL, Published};
use crate::call_session::CallSession;
use crate::client::Answer;
use crate::error::RpcError;
use crate::message::{CorrelationId, Message};
use crate::progress::Progress;
use crate::transport::{PublishError, Receipt};

impl Attempt<'_> {
    /// Sends the call over `session` and waits until the broker says that it has it.
    ///
    /// Nobody waits for its answer, so it does not expire, and it is kept on disk.
    pub(crate) async fn publish_one_way(
        &mut self,
        session: &CallSession,
    ) -> Result<Published, RpcError> {
        self.wait_while_blocked(session).await?;
        let call = Message {
            // By this the broker's word on it is found.
            correlation_id: Some(CorrelationId::random().to_string()),
            persistent: true,
            user_id: session.link.user_id().map(str::to_owned),
            ..self.call.clone()
        };
        self.check_headers(&call, session.channel.header_limit())?;
        let publishing = async {
            loop {
                let channel = session.one_way().await.map_err(|error| PublishError {
                    sent: false,
                    reason: error.to_string(),
                })?;
                match channel.publish(&self.method, call.clone()).await {
                    // The broker closes a channel for what another call did, and the connection stands.
                    Err(error) if !error.sent && channel.is_closed() && !is_lost(session) => {}
                    end => return end,
                }
            }
        };
        let method = || self.method.clone();
        match timeout_at(self.deadline, publishing).await {
            Ok(Ok(Receipt::Taken)) => Ok(Published::Answered(Answer::Value(NOTHING.to_vec()))),
            Ok(Ok(Receipt::Unroutable)) => Err(RpcError::NoSuchMethod { method: method() }),
            Ok(Ok(Receipt::Refused)) => Err(self.overloaded(FULL.into())),
            Ok(Err(error)) => self.unpublished(session, error),
            Err(_) => Err(self.timed_out(Progress::Unknown)),
        }
    }
}

fn is_lost(session: &CallSession) -> bool {
    session.link.lost().now_or_never().is_some()
}

/// What a method returns that returns nothing.
const NOTHING: &[u8] = b"null";
