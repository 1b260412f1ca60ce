//! One call that is not answered, on its way.

use bytes::Bytes;
use tokio::time::timeout_at;

use super::answer::FULL;
use super::{Attempt, Published};
use crate::client::session::CallSession;
use crate::error::progress::Progress;
use crate::error::rpc_error::RpcError;
use crate::transport::Receipt;
use crate::wire::content::Content;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::fault::Answer;
use crate::wire::message::Message;

impl Attempt<'_> {
    /// Sends the call over `session` and waits until the broker says that it has it.
    ///
    /// Nobody waits for its answer, so it does not expire, and it is kept on disk.
    pub(crate) async fn publish_one_way(
        &mut self,
        session: &CallSession,
    ) -> Result<Published, RpcError> {
        let call = Message {
            persistent: true,
            // The id identifies the call in the broker's confirmation.
            ..self.message(session, CorrelationId::random())
        };
        let publishing = session.confirms.publish(&self.request.method, call);
        match timeout_at(self.deadline, publishing).await {
            Ok(Ok(Receipt::Taken)) => {
                let nothing = Answer::Value(Bytes::from_static(NOTHING), Content::default());
                Ok(Published::Answered(nothing))
            }
            Ok(Ok(Receipt::Unroutable)) => Err(self.unroutable()),
            Ok(Ok(Receipt::Refused)) if self.request.options.confirmed => Ok(Published::Refused),
            Ok(Ok(Receipt::Refused)) => Err(self.overloaded(FULL)),
            Ok(Err(error)) => self.unpublished(session, error),
            Err(_) => Err(self.timed_out(Progress::Unknown)),
        }
    }
}

/// What a method returns that returns nothing.
const NOTHING: &[u8] = b"null";
