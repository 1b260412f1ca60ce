//! Calls that were sent and are not answered yet.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rustc_hash::FxHashMap;
use tracing::{debug, trace};
use uuid::Uuid;

use crate::connection::session::{SessionEnd, Terminated};
use crate::transport::PublishError;
use crate::wire::correlation_id::CorrelationId;
use crate::wire::message::Message;
use crate::wire::random_uuid::random_uuid;

/// Maps correlation ids to waiting callers. The only place that does.
///
/// Bounded by the calls in flight: an entry is removed with its caller. Each session has its own
/// table. When the session is over, no call can enter the table any more.
#[derive(Debug, Default)]
pub(crate) struct PendingCalls {
    callers: Mutex<Callers>,
    end: Arc<SessionEnd>,
}

/// The ids in the table are random, and ids that peers make up are only looked up, so the hash need
/// not be keyed.
type Callers = FxHashMap<Uuid, Caller>;

/// A caller in the table. A oneshot channel for each would cost one more allocation per call.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "each becomes the large one soon, and a box would be an allocation a call"
)]
enum Caller {
    /// The outcome has not arrived. The waker is there once the caller has been polled.
    Waits(Option<Waker>),
    /// The outcome has arrived, but the caller has not been polled since.
    Has(Outcome),
}

/// What a waiting caller receives.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A reply, or the call itself if it bounced.
    Answered(Message),
    /// The broker could not route the call.
    Returned,
    /// The call could not be sent.
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

    /// Enters a call under a fresh id. A call must be entered before it is published: otherwise its
    /// answer could arrive first and find no caller.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<PendingCall, Terminated> {
        let id = random_uuid();
        let mut callers = self.lock();
        // Checked under the lock: whoever ends the session sets the reason first, and then takes
        // the lock to visit all callers.
        if let Some(reason) = self.end.get() {
            return Err(reason.clone());
        }
        callers.insert(id, Caller::Waits(None));
        drop(callers);
        Ok(PendingCall {
            id,
            waits: true,
            calls: Arc::clone(self),
        })
    }

    /// Delivers a message to its caller. Late and duplicate answers find no waiting caller, and
    /// foreign ones have an unknown id: they are dropped.
    pub(crate) fn deliver(&self, message: Message, outcome: impl FnOnce(Message) -> Outcome) {
        let mut callers = self.lock();
        let caller = id_of(&message).and_then(|id| callers.get_mut(&id));
        let Some(Caller::Waits(waker)) = caller else {
            drop(callers);
            trace!(?message.kind, ?message.correlation_id, "what it was");
            return debug!("dropped a message that no call waits for");
        };
        let waker = waker.take();
        if let Some(caller) = caller {
            *caller = Caller::Has(outcome(message));
        }
        // Woken outside of the lock, because the caller takes the lock at once.
        drop(callers);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the caller of this call is still waiting.
    pub(crate) fn waits_for(&self, call: &Message) -> bool {
        let callers = self.lock();
        let caller = id_of(call).and_then(|id| callers.get(&id));
        matches!(caller, Some(Caller::Waits(_)))
    }

    /// Ends every waiting call with this reason.
    pub(crate) fn end(&self, reason: Terminated) {
        self.end.set(reason.clone());
        let mut wakers = Vec::new();
        for caller in self.lock().values_mut() {
            if let Caller::Waits(waker) = caller {
                wakers.extend(waker.take());
                *caller = Caller::Has(Outcome::Terminated(reason.clone()));
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, id: Uuid, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut callers = self.lock();
        match callers.get_mut(&id) {
            Some(Caller::Waits(Some(waker))) if waker.will_wake(cx.waker()) => Poll::Pending,
            Some(Caller::Waits(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Caller::Has(_)) => match callers.remove(&id) {
                Some(Caller::Has(outcome)) => Poll::Ready(outcome),
                _ => Poll::Pending,
            },
            // The call was polled again after it had its outcome.
            None => Poll::Pending,
        }
    }

    /// How many calls are in the table.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Callers> {
        // No code that can panic runs under the lock.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of a message; `None` if it cannot be that of a call in a table.
fn id_of(message: &Message) -> Option<Uuid> {
    match message.correlation_id {
        Some(CorrelationId::Uuid(id)) => Some(id),
        _ => None,
    }
}

/// A call in the table. Dropping it removes the call.
#[derive(Debug)]
pub(crate) struct PendingCall {
    id: Uuid,
    /// Whether it is still in the table.
    waits: bool,
    calls: Arc<PendingCalls>,
}

impl PendingCall {
    pub(crate) fn id(&self) -> CorrelationId {
        CorrelationId::Uuid(self.id)
    }

    /// Waits for the outcome, which arrives once. Cancel safe.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = poll_fn(|cx| self.calls.poll(self.id, cx)).await;
        self.waits = false;
        outcome
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        if self.waits {
            let caller = self.calls.lock().remove(&self.id);
            // Dropped outside of the lock, because dropping a waker may run code of its own.
            drop(caller);
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
        assert_eq!(calls.len(), 1);
        drop((one, two));
        assert_eq!(calls.len(), 0);
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
        assert_eq!(calls.len(), 1);
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
        assert_eq!(calls.len(), 0);
    }
}
