//! One call that is not answered, on its way.

use bytes::Bytes;
use tokio::time::timeout_at;

use crate::attempt::{Attempt, FULL, Published};
use crate::call_session::CallSession;
use crate::client::Answer;
use crate::correlation_id::CorrelationId;
use crate::error::RpcError;
use crate::message::Message;
use crate::progress::Progress;
use crate::transport::Receipt;

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
            correlation_id: Some(CorrelationId::random()),
            persistent: true,
            user_id: session.link.user_id().map(str::to_owned),
            ..self.call()
        };
        self.check_headers(&call, session.channel.header_limit())?;
        let publishing = session.confirms.publish(&self.method, call);
        match timeout_at(self.deadline, publishing).await {
            Ok(Ok(Receipt::Taken)) => Ok(Published::Answered(Answer::Value(Bytes::from_static(
                NOTHING,
            )))),
            Ok(Ok(Receipt::Unroutable)) => Err(self.unroutable()),
            Ok(Ok(Receipt::Refused)) if self.confirmed => Ok(Published::Refused),
            Ok(Ok(Receipt::Refused)) => Err(self.overloaded(FULL.into())),
            Ok(Err(error)) => self.unpublished(session, error),
            Err(_) => Err(self.timed_out(Progress::Unknown)),
        }
    }
}

/// What a method returns that returns nothing.
const NOTHING: &[u8] = b"null";
