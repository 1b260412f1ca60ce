//! The task behind a server: runs what arrives, comes back after losses, and leaves in order.

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
use crate::server::batch_consumer::{BatchChannel, BatchConsumer};
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

/// What a server is and how it stops.
#[derive(Debug)]
pub(crate) struct Worker {
    methods: Vec<Arc<MethodServer>>,
    limits: ServerLimits,
    state: watch::Receiver<ConnectionState<ServeSession>>,
    stop: CancellationToken,
    /// Tells the handlers that the grace period is over.
    abandon: CancellationToken,
    admission: Admission,
    /// The tasks of the calls that run or wait for their turn, over all connections: at most what the
    /// prefetches allow for each connection that was lost meanwhile, and one.
    calls: TaskPool,
}

/// What bounds a server.
#[derive(Clone, Debug)]
pub(crate) struct ServerLimits {
    /// That of calls and replies.
    pub(crate) message_size: SizeLimit,
    /// How long running calls may go on after a shutdown began.
    pub(crate) grace: Duration,
    pub(crate) batching: Batching,
}

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

    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self, first: Subscription) -> Result<(), ServeError> {
        let mut backoff = Backoff::default();
        let mut subscription = Some(first);
        while let Some(mut current) = subscription {
            let since = Instant::now();
            match self.serve(&mut current).await {
                Pause::Stopped => return self.drain(Some(current)).await,
                Pause::Lost => {
                    current.close().await;
                    // A channel that breaks again and again, as where the broker refuses every reply, is
                    // not opened in a hurry.
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
                    Arrival::Call { method, call } => self.start(subscription, method, call),
                    Arrival::Batch { method, batch, channel } => {
                        self.start_batch(&subscription.broken, method, *batch, channel);
                    }
                    Arrival::Broken { reason } => {
                        warn!(reason, "an answer could not be sent; opening another channel");
                        return Pause::Lost;
                    }
                    Arrival::Ended { method } => {
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

    /// Starts a call that came by itself.
    fn start(
        &mut self,
        subscription: &Subscription,
        method: Arc<MethodServer>,
        call: Box<Delivery>,
    ) {
        let broken = subscription.broken.clone();
        if call.message.kind == Kind::Unreadable {
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
        method: Arc<MethodServer>,
        batch: Delivery,
        channel: BatchChannel,
    ) {
        let BatchChannel { channel, replies } = channel;
        // Only a method with a batch queue gets batches.
        let Some(queue) = &method.batch_queue else {
            return;
        };
        if batch.message.kind == Kind::Unreadable {
            let queue = queue.name.clone();
            return self.reject(broken.clone(), method, queue, channel, batch);
        }
        let Delivery {
            message,
            redelivered,
            tag,
        } = batch;
        let calls = match unpack(&message) {
            Ok(calls) if !calls.is_empty() && calls.iter().all(is_call) => calls,
            // Nobody can be answered: the ids are in what cannot be read.
            unreadable => {
                let reason = unreadable.err().unwrap_or("it is no batch of calls");
                warn!(method = %method.method.name, reason, "dropped a batch");
                return method.tell_if_broken(channel.ack(tag), broken);
            }
        };
        let batch = Arc::new(OpenBatch::new(channel, tag, calls.len(), replies));
        let share = queue.latency.together();
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            let mut together = Vec::with_capacity(share.min(calls.len()));
            for message in calls.by_ref().take(share) {
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

    /// Rejects what cannot be read.
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

    /// Judges a call that has arrived; `None` if only a copy of it is to run.
    fn admit(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: &Arc<MethodServer>,
        call: Box<Delivery>,
        settlement: Settlement,
    ) -> Option<ServerCall> {
        match self.admission.admit(method, call, settlement) {
            Admitted::Call(call) => Some(call),
            Admitted::Copy(copy, settlement) => {
                let (method, broken) = (Arc::clone(method), broken.clone());
                self.calls
                    .spawn(async move { method.replace(settlement, *copy, &broken).await });
                None
            }
        }
    }

    /// Waits for the connection to come back and subscribes again; `None` if told to stop first.
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

    /// Stops taking calls, hands back what was not started, and finishes what was.
    async fn drain(&mut self, mut subscription: Option<Subscription>) -> Result<(), ServeError> {
        let end = Instant::now() + self.limits.grace;
        if let Some(subscription) = &mut subscription {
            subscription.channel.cancel().await;
            // Streams end soon after a cancel; those of a broker that is stuck may not.
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
                // Time to say so; a handler that blocks its thread is beyond reach, and goes with the task.
                if timeout(ABANDON_LIMIT, self.calls.finish()).await.is_err() {
                    self.calls.abort();
                }
                unfinished
            }
        };
        if let Some(mut subscription) = subscription {
            subscription.close().await;
        }
        // None may run any more while only batches were waited for.
        if unfinished == 0 {
            return Ok(());
        }
        Err(ServeError::GraceExceeded {
            unfinished,
            grace: self.limits.grace,
        })
    }

    /// Leaves the batch queues and finishes the calls that run.
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

/// A subscription that stood this long had no trouble of its own; its loss is met without delay.
const STABLE: Duration = Duration::from_secs(1);

/// How long a shutdown waits for the broker to end the subscriptions and take back what was not started.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(5);

/// How long calls that were abandoned at the end of the grace period have to tell their callers.
const ABANDON_LIMIT: Duration = Duration::from_secs(1);
