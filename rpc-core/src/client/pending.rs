//! Calls that were sent and are not answered yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tracing::{debug, field};
use uuid::Uuid;

use crate::connection::session::{SessionEnd, Terminated};
use crate::transport::PublishError;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::message::Message;
use crate::wire::random_uuid::random_uuid;
use rustc_hash::FxHashMap;

/// Maps correlation ids to the callers that wait. The only place that does.
///
/// Bounded by the calls in flight: an entry goes with its caller. One table belongs to one session; when
/// that is over, nothing can enter the table any more.
#[derive(Debug, Default)]
pub(crate) struct PendingCalls {
    callers: Mutex<Callers>,
    end: Arc<SessionEnd>,
}

/// Ids are random, and those that peers make up are only looked for, so the hash need not be keyed.
type Callers = FxHashMap<Uuid, oneshot::Sender<Outcome>>;

/// What a caller that waits is told.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are the large one, and a box would be an allocation a call"
)]
pub(crate) enum Outcome {
    /// A reply, or the call itself if it bounced.
    Answered(Message),
    /// The broker could not route the call.
    Returned,
    /// It could not be sent.
    Unsent(PublishError),
    /// No answer can come any more.
    Terminated(Terminated),
}

impl PendingCalls {
    pub(crate) fn new(end: &Arc<SessionEnd>) -> Self {
        Self {
            callers: Mutex::default(),
            end: Arc::clone(end),
        }
    }

    /// Enters a call under a fresh id. It must be entered before it is published, or its answer could
    /// come first and find nobody.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<PendingCall, Terminated> {
        let id = random_uuid();
        let (caller, outcome) = oneshot::channel();
        let mut callers = self.lock();
        // Under the lock: whoever ends the session takes all callers out after this.
        if let Some(reason) = self.end.get() {
            return Err(reason.clone());
        }
        callers.insert(id, caller);
        drop(callers);
        Ok(PendingCall {
            id,
            waits: true,
            outcome,
            calls: Arc::clone(self),
        })
    }

    /// Hands what came in to its caller. Late and duplicated answers find nobody, and foreign ones have
    /// no id that is known: they are dropped.
    pub(crate) fn deliver(&self, message: Message, outcome: impl FnOnce(Message) -> Outcome) {
        match id_of(&message).and_then(|id| self.lock().remove(&id)) {
            // A caller that left at this moment does not mind.
            Some(caller) => drop(caller.send(outcome(message))),
            None => debug!(
                correlation_id = message.correlation_id.as_ref().map(field::display),
                kind = ?message.kind,
                "dropped a message that no call waits for"
            ),
        }
    }

    /// Whether the caller of this call still waits.
    pub(crate) fn waits_for(&self, call: &Message) -> bool {
        id_of(call).is_some_and(|id| self.lock().contains_key(&id))
    }

    /// Ends every call that waits, with this reason.
    pub(crate) fn end(&self, reason: Terminated) {
        self.end.set(reason.clone());
        let callers = std::mem::take(&mut *self.lock());
        for caller in callers.into_values() {
            drop(caller.send(Outcome::Terminated(reason.clone())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Callers> {
        // No code that can panic runs under the lock.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` for one that cannot be of a call in a table.
fn id_of(message: &Message) -> Option<Uuid> {
    match message.correlation_id {
        Some(CorrelationId::Uuid(id)) => Some(id),
        _ => None,
    }
}

/// A call in the table; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct PendingCall {
    id: Uuid,
    /// Whether it may still be in the table.
    waits: bool,
    outcome: oneshot::Receiver<Outcome>,
    calls: Arc<PendingCalls>,
}

impl PendingCall {
    pub(crate) fn id(&self) -> CorrelationId {
        CorrelationId::Uuid(self.id)
    }

    /// Waits for the outcome. Cancel safe.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = (&mut self.outcome).await;
        self.waits = false;
        match outcome {
            Ok(outcome) => outcome,
            // The sender lives in the table until it is used, and the table as long as `calls`.
            Err(_) => Outcome::Terminated(Terminated::Closed),
        }
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if self.waits {
            self.calls.lock().remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(calls: &PendingCalls, id: Option<CorrelationId>) {
        let message = Message {
            correlation_id: id,
            ..Message::default()
        };
        calls.deliver(message, Outcome::Answered);
    }

    #[tokio::test]
    async fn an_answer_finds_its_caller_once() {
        let calls = Arc::new(PendingCalls::default());
        let mut one = calls.enter().unwrap();
        let two = calls.enter().unwrap();
        let id = Some(one.id());
        reply(&calls, id.clone());
        reply(&calls, id);
        assert!(matches!(one.outcome().await, Outcome::Answered(_)));
        assert_eq!(calls.lock().len(), 1);
        drop((one, two));
        assert_eq!(calls.lock().len(), 0);
    }

    #[tokio::test]
    async fn foreign_answers_are_dropped() {
        let calls = Arc::new(PendingCalls::default());
        let call = calls.enter().unwrap();
        for id in [
            None,
            Some("".into()),
            Some("7".into()),
            Some(CorrelationId::random()),
        ] {
            reply(&calls, id);
        }
        assert_eq!(calls.lock().len(), 1);
        drop(call);
    }

    #[tokio::test]
    async fn nothing_enters_a_table_that_is_over() {
        let calls = Arc::new(PendingCalls::default());
        let mut call = calls.enter().unwrap();
        calls.end(Terminated::Lost("reset".into()));
        calls.end(Terminated::Closed);
        assert!(matches!(
            call.outcome().await,
            Outcome::Terminated(Terminated::Lost(_))
        ));
        assert!(matches!(calls.enter(), Err(Terminated::Lost(_))));
        assert_eq!(calls.lock().len(), 0);
    }
}
