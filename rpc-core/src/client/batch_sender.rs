//! Sends the calls of one connection that wait to travel together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::{OptionFuture, join_all};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::client::batcher::{Admission, Batcher};
use crate::client::pending::{Outcome, PendingCalls};
use crate::connection::session::SessionEnd;
use crate::error::reason::Reason;
use crate::transport::{CallChannel, PublishError};
use crate::wire::batch::{self, unpack};
use crate::wire::batch_queue::queue_of;
use crate::wire::batching::{Batching, Mode};
use crate::wire::correlation_id::CorrelationId;
use crate::wire::headers::{Headers, METHOD};
use crate::wire::message::{BATCH, Kind, Message, unix_millis};
use tokio_util::task::AbortOnDropHandle;

/// The batcheres of one calling connection, and the task that empties them.
#[derive(Debug)]
pub(crate) struct BatchSender {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    channel: Arc<dyn CallChannel>,
    pending: Arc<PendingCalls>,
    end: Arc<SessionEnd>,
    options: Batching,
    /// By method. At most [`MOST_OUTBOXES`]; calls of further methods travel alone.
    batcheres: Mutex<HashMap<String, Arc<Batcher>>>,
    work: Mutex<Work>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Work {
    /// Outboxes in which calls wait.
    filled: Vec<Arc<Batcher>>,
    /// Calls that came back in a batch which no queue took. They were not run, and go again by themselves.
    returned: Vec<(Arc<Batcher>, Message)>,
}

/// A call that comes to the lanes.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Sending {
    /// Its caller is to send it, by itself.
    Goes(Message, Option<Ticket>),
    /// It is sent with others, or was; an error comes as its outcome.
    Waits(Ticket),
    /// Nothing can be sent any more.
    Terminated,
}

/// A call that is inside of an batcher. Leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    batcher: Arc<Batcher>,
    shared: Arc<Shared>,
    /// The call's id, while it may wait.
    waits: Option<CorrelationId>,
}

impl BatchSender {
    pub(crate) fn start(
        channel: &Arc<dyn CallChannel>,
        pending: &Arc<PendingCalls>,
        end: &Arc<SessionEnd>,
        options: &Batching,
    ) -> Self {
        let shared = Arc::new(Shared {
            channel: Arc::clone(channel),
            pending: Arc::clone(pending),
            end: Arc::clone(end),
            options: options.clone(),
            batcheres: Mutex::default(),
            work: Mutex::default(),
            wake: Notify::new(),
        });
        let task = tokio::spawn(send_all(Arc::clone(&shared)));
        Self {
            shared,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Takes a call that may travel with others, or gives it back.
    pub(crate) fn enter(&self, method: &str, call: Message) -> Sending {
        let shared = &self.shared;
        if call.body.len() > shared.options.max_bytes / 4 {
            return Sending::Goes(call, None);
        }
        let batcher = match shared.options.mode {
            Mode::Off => None,
            Mode::Auto => lock(&shared.batcheres).get(method).cloned(),
            Mode::Always => shared.batcher(method),
        };
        let Some(batcher) = batcher else {
            return Sending::Goes(call, None);
        };
        let mut ticket = Ticket {
            batcher: Arc::clone(&batcher),
            shared: Arc::clone(shared),
            waits: None,
        };
        let id = call.correlation_id.clone();
        match batcher.enter(call, &shared.options) {
            Admission::Goes(call) => Sending::Goes(call, Some(ticket)),
            Admission::Waits { wake } => {
                ticket.waits = id;
                if wake && !shared.look_after(batcher) {
                    return Sending::Terminated;
                }
                Sending::Waits(ticket)
            }
        }
    }

    /// A server of the method says whether it takes batches.
    pub(crate) fn advise(&self, method: &str, ticket: Option<&Ticket>, takes: bool) {
        match ticket {
            Some(ticket) => ticket.batcher.advise(takes),
            None if takes && self.shared.options.mode != Mode::Off => {
                if let Some(batcher) = self.shared.batcher(method) {
                    batcher.advise(true);
                }
            }
            None => {}
        }
    }

    /// Sends the calls of a batch again, each by itself, that came back since nobody takes batches any more.
    pub(crate) fn returned(&self, batch: &Message) {
        let calls = match unpack(batch) {
            Ok(calls) => calls,
            Err(reason) => return debug!(reason, "dropped a batch that came back"),
        };
        let method = batch.headers.get(METHOD).and_then(Value::as_str);
        let batcher = method.and_then(|method| lock(&self.shared.batcheres).get(method).cloned());
        let Some(batcher) = batcher else {
            return debug!("dropped a batch that came back and that nobody here has sent");
        };
        batcher.shut();
        let calls = calls.into_iter().map(|call| (Arc::clone(&batcher), call));
        lock(&self.shared.work).returned.extend(calls);
        self.shared.wake.notify_one();
    }

    /// Ends all that waits, of which nothing was sent. Only after the session's end is set.
    pub(crate) fn fail_waiting(&self, reason: &Reason) {
        let filled = std::mem::take(&mut lock(&self.shared.work).filled);
        for batcher in filled {
            let error = PublishError {
                sent: false,
                reason: reason.clone().into(),
            };
            self.shared.fail(batcher.clear(), &error);
        }
    }
}

impl Shared {
    /// The batcher of a method; `None` where it cannot have one.
    fn batcher(&self, method: &str) -> Option<Arc<Batcher>> {
        let mut batcheres = lock(&self.batcheres);
        if let Some(batcher) = batcheres.get(method) {
            return Some(Arc::clone(batcher));
        }
        if batcheres.len() >= MOST_OUTBOXES {
            batcheres.retain(|_, batcher| !batcher.is_idle());
        }
        if batcheres.len() >= MOST_OUTBOXES {
            return None;
        }
        let batcher = Arc::new(Batcher::new(method, queue_of(method)?));
        batcheres.insert(method.to_owned(), Arc::clone(&batcher));
        Some(batcher)
    }

    /// Has the task look after an batcher. `false` if it no longer does.
    fn look_after(&self, batcher: Arc<Batcher>) -> bool {
        let mut work = lock(&self.work);
        // Under the lock: whoever ends the session takes all of them out after this.
        if self.end.get().is_some() {
            return false;
        }
        if !work
            .filled
            .iter()
            .any(|filled| Arc::ptr_eq(filled, &batcher))
        {
            work.filled.push(batcher);
        }
        drop(work);
        self.wake.notify_one();
        true
    }

    /// When an batcher must be emptied next.
    fn due(&self) -> Option<Instant> {
        let work = lock(&self.work);
        let due = work
            .filled
            .iter()
            .filter_map(|batcher| batcher.due(&self.options));
        due.min()
    }

    async fn flush(&self) {
        let (filled, returned) = {
            let mut work = lock(&self.work);
            (work.filled.clone(), std::mem::take(&mut work.returned))
        };
        let again = returned
            .into_iter()
            .map(|(batcher, call)| self.send_again(batcher, call));
        join_all(again).await;
        let mut batches = Vec::new();
        for batcher in filled {
            loop {
                let calls = batcher.take(&self.options);
                if calls.is_empty() {
                    break;
                }
                batches.push(self.send(Arc::clone(&batcher), calls));
            }
        }
        join_all(batches).await;
        let mut work = lock(&self.work);
        work.filled
            .retain(|batcher| batcher.due(&self.options).is_some());
    }

    async fn send(&self, batcher: Arc<Batcher>, calls: Vec<Message>) {
        let alone = calls.len() == 1 && self.options.mode != Mode::Always;
        let sent = if alone {
            let call = calls[0].clone();
            self.channel.publish(&batcher.method, call).await
        } else {
            let batch = self.batch(&batcher, &calls);
            self.channel.publish(&batcher.queue, batch).await
        };
        if let Err(error) = sent {
            self.fail(calls, &error);
        }
    }

    fn batch(&self, batcher: &Batcher, calls: &[Message]) -> Message {
        Message {
            kind: Kind::Batch,
            reply_to: Some(Arc::clone(self.channel.reply_queue())),
            from: Some(Arc::clone(self.channel.reply_queue())),
            content_type: Some(BATCH.into()),
            // Each call has its own limit as well; the batch is not to go before any of them.
            expiration: calls.iter().filter_map(|call| call.expiration).max(),
            headers: Headers::from([(METHOD.into(), batcher.method.as_str().into())]),
            body: batch::pack(calls),
            ..Message::default()
        }
    }

    async fn send_again(&self, batcher: Arc<Batcher>, mut call: Message) {
        let deadline = call.limit.and_then(|limit| limit.deadline);
        let left = deadline
            .unwrap_or_default()
            .saturating_sub(unix_millis(SystemTime::now()));
        if !self.pending.waits_for(&call) {
            return;
        }
        // Its caller knows by itself when there is no time left, whatever this clock says.
        call.expiration = Some(Duration::from_millis(left.max(1)));
        if let Err(error) = self.channel.publish(&batcher.method, call.clone()).await {
            self.fail(vec![call], &error);
        }
    }

    /// Tells the callers that their calls were not sent.
    fn fail(&self, calls: Vec<Message>, error: &PublishError) {
        for call in calls {
            let error = error.clone();
            self.pending.deliver(call, |_| Outcome::Unsent(error));
        }
    }
}

impl Ticket {
    /// The call has its outcome.
    pub(crate) fn ended(&mut self) {
        self.waits = None;
    }

    /// Takes the call back if it still waits. Whether it did: then nothing of it was sent.
    pub(crate) fn withdraw(&mut self) -> bool {
        let id = self.waits.take();
        id.is_some_and(|id| self.batcher.withdraw(&id))
    }

    /// The queue to which it went if it went with others.
    pub(crate) fn lane(&self) -> &str {
        &self.batcher.queue
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
        if self.batcher.leave(&self.shared.options) {
            self.shared.wake.notify_one();
        }
    }
}

async fn send_all(shared: Arc<Shared>) {
    loop {
        let due = shared.due();
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(()) = OptionFuture::from(due.map(sleep_until)) => {}
        }
        // Whoever has just got an answer is to come along with the next call.
        yield_now().await;
        shared.flush().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_OUTBOXES: usize = 1024;
