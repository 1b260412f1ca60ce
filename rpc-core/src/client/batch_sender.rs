//! Sends the calls of one connection that wait to be batched.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::{OptionFuture, join_all};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use crate::client::batcher::{Batcher, Entered};
use crate::client::pending::{Outcome, PendingCalls};
use crate::connection::session::SessionEnd;
use crate::error::reason::Reason;
use crate::transport::{CallChannel, PublishError};
use crate::wire::batch::{self, unpack};
use crate::wire::batch_route::queue_of;
use crate::wire::batching::{Batching, Mode};
use crate::wire::message::{BATCH, Kind, Message, unix_millis};
use crate::wire::size_limit::SizeLimit;

/// The batchers of one calling connection, and the task that flushes them.
#[derive(Debug)]
pub(crate) struct BatchSender {
    shared: Arc<Batchers>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Batchers {
    channel: Arc<dyn CallChannel>,
    pending: Arc<PendingCalls>,
    end: Arc<SessionEnd>,
    options: Batching,
    /// By method. At most [`MAX_BATCHERS`]; calls of further methods are sent individually.
    batchers: Mutex<FxHashMap<String, Arc<Batcher>>>,
    work: Mutex<Backlog>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Backlog {
    /// Batchers in which calls wait.
    filled: Vec<Arc<Batcher>>,
    /// Calls of returned batches, which no queue took. They did not run, and are sent again
    /// individually.
    returned: Vec<(Arc<Batcher>, Message)>,
}

/// What becomes of a call that may be batched.
#[expect(clippy::large_enum_variant, reason = "it is destructured at once")]
pub(crate) enum Sending {
    /// The caller must send it individually.
    Goes(Message, Option<Ticket>),
    /// It is sent in a batch, or already was. An error arrives as its outcome.
    Waits(Ticket),
    /// The session is over: nothing can be sent any more.
    Terminated,
}

/// A call that a batcher counts. Dropping the ticket takes the call out of the batcher.
#[derive(Debug)]
pub(crate) struct Ticket {
    batcher: Arc<Batcher>,
    shared: Arc<Batchers>,
    /// The number of the call in its batcher, while the call may still wait.
    waits: Option<u64>,
}

impl BatchSender {
    pub(crate) fn start(
        channel: &Arc<dyn CallChannel>,
        pending: &Arc<PendingCalls>,
        end: &Arc<SessionEnd>,
        options: &Batching,
    ) -> Self {
        let shared = Arc::new(Batchers {
            channel: Arc::clone(channel),
            pending: Arc::clone(pending),
            end: Arc::clone(end),
            options: options.clone(),
            batchers: Mutex::default(),
            work: Mutex::default(),
            wake: Notify::new(),
        });
        let task = tokio::spawn(send_all(Arc::clone(&shared)));
        Self {
            shared,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Takes a call that may be batched, or gives it back.
    pub(crate) fn enter(&self, method: &str, call: Message) -> Sending {
        let shared = &self.shared;
        // Whatever goes with others must also fit a message of its own.
        let headers = call.headers.as_bytes().len();
        if call.batch_size() > shared.options.max_bytes / 4 || headers > MOST_HEADERS {
            return Sending::Goes(call, None);
        }
        let batcher = match shared.options.mode {
            Mode::Off => None,
            Mode::Auto => lock(&shared.batchers).get(method).cloned(),
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
        match batcher.enter(call, &shared.options) {
            Entered::Goes(call) => Sending::Goes(call, Some(ticket)),
            Entered::Waits { number, wake } => {
                ticket.waits = Some(number);
                if wake && !shared.schedule(batcher) {
                    return Sending::Terminated;
                }
                Sending::Waits(ticket)
            }
        }
    }

    /// Records whether a server of the method says that it accepts batches.
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

    /// Resends a returned batch as individual calls, because no server consumes batches any more.
    pub(crate) fn returned(&self, batch: &Message) {
        let calls = match unpack(batch, SizeLimit::NONE) {
            Ok(calls) => calls,
            Err(reason) => {
                return debug!(reason, "dropped a returned batch that cannot be read");
            }
        };
        let method = batch.extras.method.as_deref();
        let batcher = method.and_then(|method| lock(&self.shared.batchers).get(method).cloned());
        let Some(batcher) = batcher else {
            return debug!("dropped a returned batch that this client did not send");
        };
        batcher.shut();
        let calls = calls.into_iter().map(|call| (Arc::clone(&batcher), call));
        lock(&self.shared.work).returned.extend(calls);
        self.shared.wake.notify_one();
    }

    /// Fails all waiting calls, of which nothing was sent. Must be called only after the session's
    /// end is set.
    pub(crate) fn fail_waiting(&self, reason: &Reason) {
        let filled = std::mem::take(&mut lock(&self.shared.work).filled);
        for batcher in filled {
            let error = PublishError::new(false, reason.clone());
            self.shared.fail(batcher.clear(), &error);
        }
    }
}

impl Batchers {
    /// The batcher of a method, made on first use; `None` if the method cannot have one.
    fn batcher(&self, method: &str) -> Option<Arc<Batcher>> {
        let mut batchers = lock(&self.batchers);
        if let Some(batcher) = batchers.get(method) {
            return Some(Arc::clone(batcher));
        }
        if batchers.len() >= MAX_BATCHERS {
            batchers.retain(|_, batcher| !batcher.is_idle());
        }
        if batchers.len() >= MAX_BATCHERS {
            return None;
        }
        let batcher = Arc::new(Batcher::new(method, queue_of(method)?));
        batchers.insert(method.to_owned(), Arc::clone(&batcher));
        Some(batcher)
    }

    /// Hands a batcher to the task, which flushes it when it is due. `false` if the session is
    /// over.
    fn schedule(&self, batcher: Arc<Batcher>) -> bool {
        let mut work = lock(&self.work);
        // Checked under the lock: whoever ends the session sets the reason first, and then takes
        // all batchers out under the lock.
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

    /// When the next batcher must be flushed.
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
        let resends = returned
            .into_iter()
            .map(|(batcher, call)| self.send_again(batcher, call));
        join_all(resends).await;
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
        let mut batch = Message {
            kind: Kind::Batch,
            reply_to: Some(Arc::clone(self.channel.reply_queue())),
            from: Some(Arc::clone(self.channel.reply_queue())),
            content_type: Some(BATCH.into()),
            // Each call also has a limit of its own. The batch must not expire before any of them.
            expiration: calls.iter().filter_map(|call| call.expiration).max(),
            body: batch::pack(calls),
            ..Message::default()
        };
        batch.extras.method = Some(batcher.method.as_str().into());
        batch
    }

    async fn send_again(&self, batcher: Arc<Batcher>, mut call: Message) {
        let deadline = call.limit.and_then(|limit| limit.deadline);
        let left = deadline
            .unwrap_or_default()
            .saturating_sub(unix_millis(SystemTime::now()));
        if !self.pending.waits_for(&call) {
            return;
        }
        // The caller itself notices when no time is left, whatever this clock says.
        call.expiration = Some(Duration::from_millis(left.max(1)));
        if let Err(error) = self.channel.publish(&batcher.method, call.clone()).await {
            self.fail(vec![call], &error);
        }
    }

    /// Fails calls that could not be sent.
    fn fail(&self, calls: Vec<Message>, error: &PublishError) {
        for call in calls {
            let error = error.clone();
            self.pending.deliver(call, |_| Outcome::Unsent(error));
        }
    }
}

impl Ticket {
    /// Records that the call has its outcome.
    pub(crate) fn ended(&mut self) {
        self.waits = None;
    }

    /// Withdraws the call if it still waits. Returns whether it did: then nothing of it was sent.
    pub(crate) fn withdraw(&mut self) -> bool {
        let number = self.waits.take();
        number.is_some_and(|number| self.batcher.withdraw(number))
    }

    /// The batch queue: where the call went if it was sent in a batch.
    pub(crate) fn batch_queue(&self) -> &str {
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

async fn send_all(shared: Arc<Batchers>) {
    loop {
        let due = shared.due();
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(()) = OptionFuture::from(due.map(sleep_until)) => {}
        }
        // Callers that have just been answered may call again first, and join this batch.
        yield_now().await;
        shared.flush().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAX_BATCHERS: usize = 1024;

/// In bytes. A call with more headers goes by itself.
const MOST_HEADERS: usize = 16 * 1024;
