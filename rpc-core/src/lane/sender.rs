//! Sends the calls of one connection that wait to travel together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::debug;

use super::batch::{self, unpack};
use super::options::{Batching, Mode};
use super::outbox::{Entry, Outbox};
use super::queue_of;
use crate::correlation_id::CorrelationId;
use crate::message::{BATCH, Headers, Kind, METHOD, Message, unix_millis};
use crate::pending::{Outcome, PendingCalls};
use crate::supervisor::OwnedTask;
use crate::transport::{CallChannel, PublishError};
use crate::until::until;

/// The outboxes of one calling connection, and the task that empties them.
#[derive(Debug)]
pub(crate) struct Lanes {
    shared: Arc<Shared>,
    _task: OwnedTask,
}

#[derive(Debug)]
struct Shared {
    channel: Arc<dyn CallChannel>,
    pending: Arc<PendingCalls>,
    options: Batching,
    /// By method. At most [`MOST_OUTBOXES`]; calls of further methods travel alone.
    outboxes: Mutex<HashMap<String, Arc<Outbox>>>,
    work: Mutex<Work>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Work {
    /// Outboxes in which calls wait.
    filled: Vec<Arc<Outbox>>,
    /// Calls that came back in a batch which no queue took. They were not run, and go again by themselves.
    returned: Vec<(Arc<Outbox>, Message)>,
    over: bool,
}

/// A call that comes to the lanes.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Sending {
    /// Its caller is to send it, by itself.
    Goes(Message, Option<Ticket>),
    /// It is sent with others, or was; an error comes as its outcome.
    Waits(Ticket),
    /// Nothing can be sent any more.
    Over,
}

/// A call that is inside of an outbox. Leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    outbox: Arc<Outbox>,
    shared: Arc<Shared>,
    /// The call's id, while it may wait.
    waits: Option<CorrelationId>,
}

impl Lanes {
    pub(crate) fn start(
        channel: &Arc<dyn CallChannel>,
        pending: &Arc<PendingCalls>,
        options: &Batching,
    ) -> Self {
        let shared = Arc::new(Shared {
            channel: Arc::clone(channel),
            pending: Arc::clone(pending),
            options: options.clone(),
            outboxes: Mutex::default(),
            work: Mutex::default(),
            wake: Notify::new(),
        });
        let task = tokio::spawn(send_all(Arc::clone(&shared)));
        Self {
            shared,
            _task: OwnedTask(task),
        }
    }

    /// Takes a call that may travel with others, or gives it back.
    pub(crate) fn enter(&self, method: &str, call: Message) -> Sending {
        let shared = &self.shared;
        if call.body.len() > shared.options.max_bytes / 4 {
            return Sending::Goes(call, None);
        }
        let outbox = match shared.options.mode {
            Mode::Off => None,
            Mode::Auto => lock(&shared.outboxes).get(method).cloned(),
            Mode::Always => shared.outbox(method),
        };
        let Some(outbox) = outbox else {
            return Sending::Goes(call, None);
        };
        let mut ticket = Ticket {
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(shared),
            waits: None,
        };
        let id = call.correlation_id.clone();
        match outbox.enter(call, &shared.options) {
            Entry::Goes(call) => Sending::Goes(call, Some(ticket)),
            Entry::Waits { wake } => {
                ticket.waits = id;
                if wake && !shared.look_after(outbox) {
                    return Sending::Over;
                }
                Sending::Waits(ticket)
            }
        }
    }

    /// A server of the method says whether it takes batches.
    pub(crate) fn advise(&self, method: &str, ticket: Option<&Ticket>, takes: bool) {
        match ticket {
            Some(ticket) => ticket.outbox.advise(takes),
            None if takes && self.shared.options.mode != Mode::Off => {
                if let Some(outbox) = self.shared.outbox(method) {
                    outbox.advise(true);
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
        let outbox = method.and_then(|method| lock(&self.shared.outboxes).get(method).cloned());
        let Some(outbox) = outbox else {
            return debug!("dropped a batch that came back and that nobody here has sent");
        };
        outbox.shut();
        let calls = calls.into_iter().map(|call| (Arc::clone(&outbox), call));
        lock(&self.shared.work).returned.extend(calls);
        self.shared.wake.notify_one();
    }

    /// Ends all that waits, of which nothing was sent.
    pub(crate) fn end(&self, reason: &str) {
        let filled = {
            let mut work = lock(&self.shared.work);
            work.over = true;
            std::mem::take(&mut work.filled)
        };
        for outbox in filled {
            let error = PublishError {
                sent: false,
                reason: reason.to_owned(),
            };
            self.shared.fail(outbox.clear(), &error);
        }
    }
}

impl Shared {
    /// The outbox of a method; `None` where it cannot have one.
    fn outbox(&self, method: &str) -> Option<Arc<Outbox>> {
        let mut outboxes = lock(&self.outboxes);
        if let Some(outbox) = outboxes.get(method) {
            return Some(Arc::clone(outbox));
        }
        if outboxes.len() >= MOST_OUTBOXES {
            outboxes.retain(|_, outbox| !outbox.is_idle());
        }
        if outboxes.len() >= MOST_OUTBOXES {
            return None;
        }
        let outbox = Arc::new(Outbox::new(method, queue_of(method)?));
        outboxes.insert(method.to_owned(), Arc::clone(&outbox));
        Some(outbox)
    }

    /// Has the task look after an outbox. `false` if it no longer does.
    fn look_after(&self, outbox: Arc<Outbox>) -> bool {
        let mut work = lock(&self.work);
        if work.over {
            return false;
        }
        if !work
            .filled
            .iter()
            .any(|filled| Arc::ptr_eq(filled, &outbox))
        {
            work.filled.push(outbox);
        }
        drop(work);
        self.wake.notify_one();
        true
    }

    /// When an outbox must be emptied next.
    fn due(&self) -> Option<Instant> {
        let work = lock(&self.work);
        let due = work
            .filled
            .iter()
            .filter_map(|outbox| outbox.due(&self.options));
        due.min()
    }

    async fn flush(&self) {
        let (filled, returned) = {
            let mut work = lock(&self.work);
            (work.filled.clone(), std::mem::take(&mut work.returned))
        };
        let again = returned
            .into_iter()
            .map(|(outbox, call)| self.send_again(outbox, call));
        join_all(again).await;
        let mut batches = Vec::new();
        for outbox in filled {
            loop {
                let calls = outbox.take(&self.options);
                if calls.is_empty() {
                    break;
                }
                batches.push(self.send(Arc::clone(&outbox), calls));
            }
        }
        join_all(batches).await;
        let mut work = lock(&self.work);
        work.filled
            .retain(|outbox| outbox.due(&self.options).is_some());
    }

    async fn send(&self, outbox: Arc<Outbox>, calls: Vec<Message>) {
        let alone = calls.len() == 1 && self.options.mode != Mode::Always;
        let sent = if alone {
            let call = calls[0].clone();
            self.channel.publish(&outbox.method, call).await
        } else {
            let batch = self.batch(&outbox, &calls);
            self.channel.publish(&outbox.queue, batch).await
        };
        if let Err(error) = sent {
            self.fail(calls, &error);
        }
    }

    fn batch(&self, outbox: &Outbox, calls: &[Message]) -> Message {
        Message {
            kind: Kind::Batch,
            reply_to: Some(Arc::clone(self.channel.reply_queue())),
            from: Some(Arc::clone(self.channel.reply_queue())),
            content_type: Some(BATCH.into()),
            // Each call has its own limit as well; the batch is not to go before any of them.
            expiration: calls.iter().filter_map(|call| call.expiration).max(),
            headers: Headers::from([(METHOD.into(), outbox.method.as_str().into())]),
            body: batch::pack(calls),
            ..Message::default()
        }
    }

    async fn send_again(&self, outbox: Arc<Outbox>, mut call: Message) {
        let deadline = call.limit.and_then(|limit| limit.deadline);
        let left = deadline
            .unwrap_or_default()
            .saturating_sub(unix_millis(SystemTime::now()));
        if !self.pending.waits_for(&call) {
            return;
        }
        // Its caller knows by itself when there is no time left, whatever this clock says.
        call.expiration = Some(Duration::from_millis(left.max(1)));
        if let Err(error) = self.channel.publish(&outbox.method, call.clone()).await {
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
        id.is_some_and(|id| self.outbox.withdraw(&id))
    }

    /// The queue to which it went if it went with others.
    pub(crate) fn lane(&self) -> &str {
        &self.outbox.queue
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
        if self.outbox.leave(&self.shared.options) {
            self.shared.wake.notify_one();
        }
    }
}

async fn send_all(shared: Arc<Shared>) {
    loop {
        let due = shared.due();
        tokio::select! {
            () = shared.wake.notified() => {}
            () = until(due) => {}
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
