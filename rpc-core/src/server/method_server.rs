//! One method on its server: runs its calls, answers and settles them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{RwLock, Semaphore, SemaphorePermit, mpsc};
use tokio::time::Instant;
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

/// Where the calls of a method are served.
///
/// Each call that runs keeps a future of [`serve`](Self::serve), so what few calls need is in boxes of its
/// own, and what only its arrival needs is gone before it runs.
#[derive(Debug)]
pub(crate) struct MethodServer {
    pub(crate) method: Method,
    pub(crate) batch_queue: Option<BatchQueue>,
    /// That of calls and replies.
    pub(crate) size_limit: SizeLimit,
    /// A permit for each call that runs. The prefetch alone is no bound: calls of a connection that was lost
    /// may still run, and those of batches do not count for it.
    slots: Semaphore,
    /// Shared by those that put a copy in the place of a call, until the call is settled, or of its batch all
    /// that can be. A copy that took this process with it before that would go to the next server together
    /// with the call, and each of them count by itself.
    replacing: RwLock<()>,
    /// Tells that the server is leaving.
    stop: CancellationToken,
    /// Tells the handlers that the grace period is over.
    abandon: CancellationToken,
}

/// A call that has arrived, with what settles it.
#[derive(Debug)]
pub(crate) struct ServerCall {
    pub(crate) delivery: Box<Delivery>,
    /// Why it must not run.
    pub(crate) refused: Option<Box<Fault>>,
    /// By the clock of this machine; `None` if the caller set no limit.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) settlement: Settlement,
    pub(crate) dead_letter: Option<Box<DeadLetter>>,
    /// Counts it until it is done with.
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
            batch_queue: BatchQueue::of(&method, batching),
            size_limit,
            slots: Semaphore::new(method.options.concurrency.into()),
            replacing: RwLock::default(),
            stop,
            abandon,
            method,
        }
    }

    /// Serves calls that came together, as one task: most handlers are done at once, for which a task of
    /// each call's own would cost more than the call.
    ///
    /// Handlers that are not done at once go on side by side.
    pub(crate) async fn serve_all(
        self: Arc<Self>,
        calls: Vec<ServerCall>,
        broken: mpsc::Sender<String>,
    ) {
        let mut running = FuturesUnordered::new();
        // The place of a call that is done serves the next one.
        let mut place = None;
        for call in calls {
            let serving = self.serve(call, &broken);
            let mut serving = match place.take() {
                None => Box::pin(serving),
                Some(mut place) => {
                    Pin::set(&mut place, serving);
                    place
                }
            };
            match poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx))).await {
                Poll::Ready(()) => place = Some(serving),
                Poll::Pending => running.push(serving),
            }
        }
        drop(place);
        while running.next().await.is_some() {}
    }

    /// Runs a call when it is its turn, answers it and settles it.
    pub(crate) async fn serve(&self, mut call: ServerCall, broken: &mpsc::Sender<String>) {
        let is_copy = call.delivery.message.marks.attempts.is_some();
        if is_copy && call.refused.is_none() {
            drop(Box::pin(self.replacing.write()).await);
        }
        let slot = match self.slots.try_acquire() {
            // One that must not run needs no place, and must not be handed back as if it were new.
            _ if call.refused.is_some() => None,
            Ok(slot) => Some(slot),
            Err(_) => match Box::pin(self.slot(&call.delivery.message)).await {
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
        // In a block, or what is gone after it would keep its room.
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
        // Without an answer it stays unsettled, and goes to another server with the channel's end.
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

    /// Puts a copy in the place of a call.
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

    /// Leaves a call that was not started to another server.
    async fn hand_back(&self, call: ServerCall, broken: &mpsc::Sender<String>) {
        let message = call.delivery.message.for_another();
        let handed_back = call.settlement.replace(&self.method, message);
        self.tell_if_broken(handed_back.await, broken);
    }

    /// Waits until fewer calls run than may.
    async fn slot(&self, call: &Message) -> Result<Option<SemaphorePermit<'_>>, Leaves> {
        tokio::select! {
            // Never closed.
            slot = self.slots.acquire() => Ok(slot.ok()),
            () = self.stop.cancelled(), if !is_unique(call) => Err(Leaves),
        }
    }

    /// Gives the channel up on which something could not be sent.
    pub(crate) fn tell_if_broken(
        &self,
        sent: Result<(), PublishError>,
        broken: &mpsc::Sender<String>,
    ) {
        if let Err(error) = sent {
            let reason = format!("`{}`: {}", self.method.name, error.reason);
            // Full means that the reason is known already.
            drop(broken.try_send(reason));
        }
    }
}

/// The server leaves before it is a call's turn.
struct Leaves;
