//! One method on its server: runs its calls, answers them and settles them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{RwLock, Semaphore, SemaphorePermit, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::contract::service::Method;
use crate::server::batch_queue::BatchQueue;
use crate::server::clock_skew::Deadline;
use crate::server::dispatch;
use crate::server::redelivery::is_unique;
use crate::server::settlement::{DeadLetter, Settlement, keep};
use crate::transport::PublishError;
use crate::wire::batching::Batching;
use crate::wire::fault::Fault;
use crate::wire::message::{Delivery, Message};
use crate::wire::size_limit::SizeLimit;

/// Serves the calls of one method.
///
/// Each running call keeps a future of [`serve`](Self::serve) in memory. So what few calls need is
/// boxed, and what only the arrival of a call needs is dropped before it runs.
#[derive(Debug)]
pub(crate) struct MethodServer {
    pub(crate) method: Method,
    pub(crate) batch_queue: Option<Arc<BatchQueue>>,
    /// The largest body of a call or a reply.
    pub(crate) size_limit: SizeLimit,
    /// One permit per running call. The prefetch alone is no bound: calls of a lost connection may
    /// still run, and calls in batches do not count towards the prefetch.
    slots: Semaphore,
    /// Locked for reading while a copy replaces a call, until the call is settled, or until as much
    /// of its batch is settled as can be. A copy waits for all these locks before it runs. If it
    /// ran earlier and crashed this process, the next server would get both the copy and the call,
    /// and would count each separately.
    replacing: RwLock<()>,
    /// Cancelled when the server begins to leave.
    stop: CancellationToken,
    /// Cancelled when the grace period of the handlers is over.
    abandon: CancellationToken,
}

/// A call that has arrived, with its settlement.
#[derive(Debug)]
pub(crate) struct ServerCall {
    pub(crate) delivery: Box<Delivery>,
    /// Why the call must not run, if it must not.
    pub(crate) refused: Option<Box<Fault>>,
    /// The deadline by this machine's clock; `None` if the caller set no limit.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) settlement: Settlement,
    pub(crate) dead_letter: Option<Box<DeadLetter>>,
    /// Counts the call until it is finished.
    pub(crate) open: Arc<()>,
}

impl MethodServer {
    pub(crate) fn new(
        method: Method,
        batching: &Batching,
        size_limit: SizeLimit,
        stop: CancellationToken,
        abandon: CancellationToken,
    ) -> Self {
        Self {
            batch_queue: BatchQueue::of(&method, batching).map(Arc::new),
            size_limit,
            slots: Semaphore::new(method.options.concurrency.into()),
            replacing: RwLock::default(),
            stop,
            abandon,
            method,
        }
    }

    /// Serves calls that arrived together, in one task. Most handlers finish in their first poll,
    /// and a task for each of them would cost more than the call.
    ///
    /// Handlers that do not finish at once run concurrently.
    pub(crate) async fn serve_all(
        self: Arc<Self>,
        calls: Vec<ServerCall>,
        broken: mpsc::Sender<String>,
    ) {
        let mut running = FuturesUnordered::new();
        // The box of a finished call is reused for the next one.
        let mut spare = None;
        for call in calls {
            let serving = self.serve(call, &broken);
            let mut serving = match spare.take() {
                None => Box::pin(serving),
                Some(mut reused) => {
                    Pin::set(&mut reused, serving);
                    reused
                }
            };
            match poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await {
                Poll::Ready(()) => spare = Some(serving),
                Poll::Pending => running.push(serving),
            }
        }
        drop(spare);
        while running.next().await.is_some() {}
    }

    /// Runs a call when it is its turn, answers it and settles it.
    pub(crate) async fn serve(&self, mut call: ServerCall, broken: &mpsc::Sender<String>) {
        let is_copy = call.delivery.message.marks.attempts.is_some();
        if is_copy && call.refused.is_none() {
            drop(Box::pin(self.replacing.write()).await);
        }
        let slot = match self.slots.try_acquire() {
            // A call that must not run needs no slot, and must not be handed back as if it were
            // new.
            _ if call.refused.is_some() => None,
            Ok(slot) => Some(slot),
            Err(_) => match Box::pin(self.slot(&call)).await {
                Ok(slot) => slot,
                Err(Leaves) => return Box::pin(self.hand_back(call, broken)).await,
            },
        };
        if let Some(letter) = call.dead_letter.take() {
            let kept = Box::pin(keep(call.settlement.channel(), *letter)).await;
            if kept.is_err() {
                return self.tell_if_broken(kept, broken);
            }
        }
        let started = Instant::now();
        // In a block: otherwise the future would keep memory for variables that are no longer used.
        let (prepared, reply_to, knows_batches, settlement, _open) = {
            let ServerCall {
                delivery,
                refused,
                deadline,
                settlement,
                open,
                ..
            } = call;
            let mut delivery = *delivery;
            let reply_to = delivery.message.reply_to.take();
            let knows_batches = delivery.message.limit.is_some();
            let prepared = dispatch::prepare(&self.method, delivery, refused, deadline, started);
            (prepared, reply_to, knows_batches, settlement, open)
        };
        let answer = dispatch::answer(
            &self.method,
            prepared,
            reply_to.is_some(),
            self.size_limit,
            &self.abandon,
        );
        let answer = answer.await;
        drop(slot);
        // Without an answer the call stays unsettled. The broker redelivers it when the channel
        // ends.
        let Some(mut reply) = answer else {
            return;
        };
        if let Some(queue) = &self.batch_queue {
            let now = Instant::now();
            queue.latency.note(now - started);
            reply.takes_batches = knows_batches.then(|| queue.invites(now));
        }
        let settled = settlement.answer(reply_to, reply).await;
        self.tell_if_broken(settled, broken);
    }

    /// Replaces a call with a copy.
    pub(crate) async fn replace(
        &self,
        settlement: Settlement,
        copy: Message,
        broken: &mpsc::Sender<String>,
    ) {
        let _replacing = self.replacing.read().await;
        let replaced = settlement.replace(&self.method, copy).await;
        self.tell_if_broken(replaced, broken);
    }

    /// Hands a call that was not started back, for another server.
    async fn hand_back(&self, call: ServerCall, broken: &mpsc::Sender<String>) {
        let message = call.delivery.message.for_another();
        let handed_back = call.settlement.replace(&self.method, message);
        self.tell_if_broken(handed_back.await, broken);
    }

    /// Waits for a free slot. A call that came with others waits a moment only: a message holds no
    /// more calls than this server has places for. The others go back to the queue of the method,
    /// where calls that came before them have their turn, and any server may take them.
    async fn slot(&self, call: &ServerCall) -> Result<Option<SemaphorePermit<'_>>, Leaves> {
        let in_batch = matches!(call.settlement, Settlement::InBatch(_));
        let may_leave = !is_unique(&call.delivery.message);
        tokio::select! {
            // The semaphore is never closed.
            slot = self.slots.acquire() => Ok(slot.ok()),
            () = self.stop.cancelled(), if may_leave => Err(Leaves),
            () = sleep(BATCH_PATIENCE), if in_batch && may_leave => Err(Leaves),
        }
    }

    /// Reports a channel as broken if something could not be sent on it, so that it is abandoned.
    pub(crate) fn tell_if_broken(
        &self,
        sent: Result<(), PublishError>,
        broken: &mpsc::Sender<String>,
    ) {
        if let Err(error) = sent {
            let reason = format!("`{}`: {}", self.method.name, error.reason);
            // A full channel means that a reason is already known.
            drop(broken.try_send(reason));
        }
    }
}

/// The call is better run by another server, because this one leaves or has no place for it.
struct Leaves;

/// How long a call of a batch waits for a place. Fast handlers finish whole batches in less.
const BATCH_PATIENCE: Duration = Duration::from_millis(100);
