//! The task of a server: runs the calls that arrive, subscribes again after losses, and shuts down
//! in order.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::connection::supervisor::ConnectionState;
use crate::contract::service::Method;
use crate::error::serve::ServeError;
use crate::server::admission::{Admission, Admitted};
use crate::server::batch_consumer::{BatchChannel, BatchConsumer, BatchedMethod};
use crate::server::method_server::{MethodServer, ServerCall};
use crate::server::reply_batcher::OpenBatch;
use crate::server::session::ServeSession;
use crate::server::settlement::Settlement;
use crate::server::subscription::{Arrival, Subscription};
use crate::server::task_pool::TaskPool;
use crate::server::unreadable;
use crate::transport::backoff::Backoff;
use crate::transport::{Link, ServeChannel};
use crate::wire::batch::unpack;
use crate::wire::batching::Batching;
use crate::wire::message::{Delivery, Kind, Message};
use crate::wire::size_limit::SizeLimit;

/// A server: its methods, its limits, and how it stops.
#[derive(Debug)]
pub(crate) struct Worker {
    methods: Vec<Arc<MethodServer>>,
    limits: ServerLimits,
    state: watch::Receiver<ConnectionState<ServeSession>>,
    stop: CancellationToken,
    /// Cancelled when the grace period of the handlers is over.
    abandon: CancellationToken,
    admission: Admission,
    /// The tasks of the calls that run or wait for their turn, over all connections. They are at
    /// most what the prefetches allow, for the current connection and for each one that was lost
    /// meanwhile.
    calls: TaskPool,
}

/// The limits of a server.
#[derive(Clone, Debug)]
pub(crate) struct ServerLimits {
    /// The largest body of a call or a reply.
    pub(crate) message_size: SizeLimit,
    /// How long running calls may go on after a shutdown has begun.
    pub(crate) grace: Duration,
    pub(crate) batching: Batching,
}

/// Why a subscription is not served any more.
enum Pause {
    Stopped,
    Lost,
}

impl Worker {
    pub(crate) fn new(
        methods: Vec<Method>,
        limits: ServerLimits,
        state: watch::Receiver<ConnectionState<ServeSession>>,
        stop: CancellationToken,
    ) -> Self {
        let abandon = CancellationToken::new();
        let methods = methods.into_iter().map(|method| {
            let (stop, abandon) = (stop.clone(), abandon.clone());
            Arc::new(MethodServer::new(
                method,
                &limits.batching,
                limits.message_size,
                stop,
                abandon,
            ))
        });
        Self {
            methods: methods.collect(),
            limits,
            state,
            stop,
            abandon,
            admission: Admission::default(),
            calls: TaskPool::default(),
        }
    }

    /// Opens the channels of the server on a connection and subscribes to every method.
    pub(crate) async fn subscribe(&self, link: &Arc<dyn Link>) -> Result<Subscription, ServeError> {
        let batches = BatchConsumer::new(link, &self.methods, &self.limits.batching);
        Subscription::open(link, &self.methods, batches).await
    }

    /// Serves until the server is stopped.
    pub(crate) async fn run(mut self, first: Subscription) -> Result<(), ServeError> {
        let mut backoff = Backoff::default();
        let mut subscription = Some(first);
        while let Some(mut current) = subscription {
            let since = Instant::now();
            match self.serve(&mut current).await {
                Pause::Stopped => return self.drain(Some(current)).await,
                Pause::Lost => {
                    current.close().await;
                    // A channel that breaks again and again, for example because the broker refuses
                    // every reply, is reopened ever more slowly.
                    if since.elapsed() > STABLE {
                        backoff = Backoff::default();
                    }
                    subscription = self.subscribe_again(&mut backoff).await;
                }
            }
        }
        self.drain(None).await
    }

    async fn serve(&mut self, subscription: &mut Subscription) -> Pause {
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return Pause::Stopped,
                arrival = subscription.next() => match arrival {
                    Arrival::Call(method, call) => self.start(subscription, method, call),
                    Arrival::Batch(method, batch, channel) => {
                        self.start_batch(&subscription.broken, method, *batch, channel);
                    }
                    Arrival::Broken { reason } => {
                        warn!(reason, "an answer could not be sent; opening another channel");
                        return Pause::Lost;
                    }
                    Arrival::Ended(method) => {
                        let name = method.method.name.clone();
                        match subscription.renew(method).await {
                            Ok(()) => warn!(method = %name, "the broker ended the subscription; subscribed again"),
                            Err(error) => {
                                debug!(method = %name, %error, "the serving channel is gone");
                                return Pause::Lost;
                            }
                        }
                    }
                },
            }
        }
    }

    /// Starts a call that arrived individually.
    fn start(
        &mut self,
        subscription: &Subscription,
        method: Arc<MethodServer>,
        call: Box<Delivery>,
    ) {
        let broken = subscription.broken.clone();
        if !call.message.kind.is_call() {
            let channel = Arc::clone(&subscription.channel);
            let queue = method.method.name.to_string();
            return self.reject(broken, method, queue, channel, *call);
        }
        let settlement = subscription.settlement(call.tag);
        if let Some(call) = self.admit(&broken, &method, call, settlement) {
            self.calls
                .spawn(async move { method.serve(call, &broken).await });
        }
    }

    /// Starts each call of a batch.
    fn start_batch(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: BatchedMethod,
        batch: Delivery,
        channel: BatchChannel,
    ) {
        let BatchChannel { channel, replies } = channel;
        let BatchedMethod { method, queue } = method;
        if batch.message.kind == Kind::Unreadable {
            let queue = queue.name.clone();
            return self.reject(broken.clone(), method, queue, channel, batch);
        }
        let Delivery {
            message,
            redelivered,
            tag,
        } = batch;
        let calls = match unpack(&message, method.size_limit) {
            Ok(calls) if !calls.is_empty() && calls.iter().all(is_call) => calls,
            // Nobody can be answered: the correlation ids are in the part that cannot be read.
            unreadable => {
                let reason = unreadable.err().unwrap_or("it is not a batch of calls");
                warn!(method = %method.method.name, reason, "dropped a batch that cannot be read");
                return method.tell_if_broken(channel.ack(tag), broken);
            }
        };
        let batch = Arc::new(OpenBatch::new(channel, tag, calls.len(), replies));
        let calls_per_task = queue.latency.together();
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            let mut together = Vec::with_capacity(calls_per_task.min(calls.len()));
            for message in calls.by_ref().take(calls_per_task) {
                let call = Box::new(Delivery {
                    message,
                    redelivered,
                    tag,
                });
                let settlement = Settlement::InBatch(Arc::clone(&batch));
                together.extend(self.admit(broken, &method, call, settlement));
            }
            let serving = Arc::clone(&method).serve_all(together, broken.clone());
            self.calls.spawn(serving);
        }
    }

    /// Rejects a message that cannot be read.
    fn reject(
        &mut self,
        broken: mpsc::Sender<String>,
        method: Arc<MethodServer>,
        queue: String,
        channel: Arc<dyn ServeChannel>,
        delivery: Delivery,
    ) {
        self.calls.spawn(async move {
            let rejected = unreadable::reject(&*channel, &method.method, &queue, delivery).await;
            method.tell_if_broken(rejected, &broken);
        });
    }

    /// Judges a call that has arrived; `None` if a copy replaces it.
    fn admit(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: &Arc<MethodServer>,
        call: Box<Delivery>,
        settlement: Settlement,
    ) -> Option<ServerCall> {
        match self.admission.admit(method, call, settlement) {
            Admitted::Call(call) => Some(call),
            Admitted::Copy {
                copy,
                settlement,
                open,
            } => {
                let (method, broken) = (Arc::clone(method), broken.clone());
                self.calls.spawn(async move {
                    // Until the copy has its place, a shutdown leaves a call behind.
                    let _open = open;
                    method.replace(settlement, *copy, &broken).await;
                });
                None
            }
        }
    }

    /// Waits for the connection to come back and subscribes again; `None` if the server is stopped
    /// first.
    async fn subscribe_again(&self, backoff: &mut Backoff) -> Option<Subscription> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            subscription = self.subscribe_until_done(backoff) => subscription,
        }
    }

    async fn subscribe_until_done(&self, backoff: &mut Backoff) -> Option<Subscription> {
        let mut state = self.state.clone();
        loop {
            sleep(backoff.next_wait()).await;
            let up = state
                .wait_for(|state| !matches!(state, ConnectionState::Down(_)))
                .await
                .map(|state| state.clone());
            let Ok(ConnectionState::Up(session)) = up else {
                return None;
            };
            match self.subscribe(&session.link).await {
                Ok(subscription) => {
                    info!(methods = self.methods.len(), "serving again");
                    return Some(subscription);
                }
                Err(error) => warn!(%error, "cannot serve, trying again"),
            }
        }
    }

    /// Stops taking calls, hands back calls that were not started, and finishes those that were.
    async fn drain(&mut self, mut subscription: Option<Subscription>) -> Result<(), ServeError> {
        let end = Instant::now() + self.limits.grace;
        if let Some(subscription) = &mut subscription {
            subscription.channel.cancel().await;
            // Subscriptions end soon after a cancel, but those of a stuck broker may not.
            match timeout(HAND_BACK_LIMIT, subscription.hand_back()).await {
                Ok(kept) => {
                    for (method, call) in kept {
                        self.start(subscription, method, call);
                    }
                }
                Err(_) => warn!(
                    "the broker did not end the subscriptions; it will redeliver what was not started"
                ),
            }
        }
        let unfinished = match timeout_at(end, self.finish(subscription.as_mut())).await {
            Ok(()) => 0,
            Err(_) => {
                let channels = subscription.iter().flat_map(Subscription::channels);
                let unsettled: usize = channels.map(|channel| channel.unsettled()).sum();
                let unfinished = self.admission.open() + unsettled;
                self.abandon.cancel();
                // The abandoned calls get time to answer their callers. A handler that blocks its
                // thread is out of reach, and ends with the task.
                if timeout(ABANDON_LIMIT, self.calls.finish()).await.is_err() {
                    self.calls.abort();
                }
                unfinished
            }
        };
        if let Some(mut subscription) = subscription {
            subscription.close().await;
        }
        // The time may have run out while only batches were awaited, and no call ran any more.
        if unfinished == 0 {
            return Ok(());
        }
        Err(ServeError::grace_exceeded(unfinished, self.limits.grace))
    }

    /// Leaves the batch queues and finishes the running calls.
    async fn finish(&mut self, subscription: Option<&mut Subscription>) {
        let Some(subscription) = subscription else {
            return self.calls.finish().await;
        };
        join(subscription.batches.leave(), self.calls.finish()).await;
        for channel in subscription.channels() {
            channel.all_settled().await;
        }
    }
}

fn is_call(message: &Message) -> bool {
    message.kind == Kind::Call
}

/// A subscription that stood this long had no trouble of its own. After its loss, the server
/// subscribes again without delay.
const STABLE: Duration = Duration::from_secs(1);

/// How long a shutdown waits for the broker to end the subscriptions and take back what was not
/// started.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(5);

/// How long calls that are abandoned at the end of the grace period have to answer their callers.
const ABANDON_LIMIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
