//! The task behind a server: runs what arrives, comes back after losses, and leaves in order.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::{RwLock, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::connection::supervisor::ConnectionState;
use crate::contract::service::Method;
use crate::error::serve::ServeError;
use crate::server::batch_consumer::{BatchChannel, BatchConsumer, BatchQueue};
use crate::server::clock_skew::ClockSkew;
use crate::server::dispatch::Arrived;
use crate::server::method_server::{MethodServer, ServerCall};
use crate::server::redelivery::{self, Verdict};
use crate::server::reply_batcher::OpenBatch;
use crate::server::session::ServeSession;
use crate::server::settlement::Settlement;
use crate::server::subscription::{ServerEvent, Subscription};
use crate::server::task_pool::TaskPool;
use crate::server::unreadable;
use crate::transport::backoff::Backoff;
use crate::transport::{Link, ServeChannel};
use crate::wire::batch::unpack;
use crate::wire::batch_queue::queue_of;
use crate::wire::batching::Batching;
use crate::wire::fault::{Fault, kind};
use crate::wire::message::{Delivery, Kind, Message};

/// What a server is and how it stops.
#[derive(Debug)]
pub(crate) struct Worker {
    methods: Vec<Arc<Method>>,
    /// By the index of the method.
    lanes: Arc<[Option<Arc<BatchQueue>>]>,
    stations: Vec<Arc<MethodServer>>,
    limits: ServerLimits,
    state: watch::Receiver<ConnectionState<ServeSession>>,
    stop: CancellationToken,
    /// Tells the handlers that the grace period is over.
    abandon: CancellationToken,
    clocks: ClockSkew,
    /// Counts the calls that have arrived and are not done with: each has a clone.
    open: Arc<()>,
    /// The tasks of the calls that run or wait for their turn, over all connections: at most what the prefetches allow for each
    /// connection that was lost meanwhile, and one.
    calls: TaskPool,
}

/// What bounds a server.
#[derive(Debug)]
pub(crate) struct ServerLimits {
    /// The largest reply, in bytes.
    pub(crate) message_size: usize,
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
        let methods: Vec<_> = methods.into_iter().map(Arc::new).collect();
        let lanes = methods
            .iter()
            .map(|method| BatchQueue::of(method, &limits.batching));
        let lanes: Arc<[_]> = lanes.collect();
        let abandon = CancellationToken::new();
        let stations = methods.iter().zip(&*lanes).map(|(method, lane)| {
            Arc::new(MethodServer {
                method: Arc::clone(method),
                lane: lane.clone(),
                slots: Semaphore::new(method.options.concurrency.into()),
                replacing: RwLock::default(),
                message_size: limits.message_size,
                stop: stop.clone(),
                abandon: abandon.clone(),
            })
        });
        Self {
            stations: stations.collect(),
            methods,
            lanes,
            limits,
            state,
            stop,
            abandon,
            clocks: ClockSkew::default(),
            open: Arc::default(),
            calls: TaskPool::default(),
        }
    }

    /// Opens the channels of the server on a connection and subscribes to every method.
    pub(crate) async fn subscribe(&self, link: &Arc<dyn Link>) -> Result<Subscription, ServeError> {
        let inlet = BatchConsumer::new(link, &self.lanes, &self.limits.batching);
        Subscription::open(link, &self.methods, inlet).await
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
                    ServerEvent::Call { method, delivery } => {
                        self.start_alone(subscription, method, *delivery);
                    }
                    ServerEvent::Batch { method, batch, channel } => {
                        self.start_batch(&subscription.broken, method, *batch, channel);
                    }
                    ServerEvent::Broken { reason } => {
                        warn!(reason, "an answer could not be sent; opening another channel");
                        return Pause::Lost;
                    }
                    ServerEvent::Ended { method } => {
                        let renewed = subscription.renew(method, &self.methods[method]).await;
                        let name = &self.methods[method].name;
                        match renewed {
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
    fn start_alone(&mut self, subscription: &Subscription, method: usize, delivery: Delivery) {
        let broken = &subscription.broken;
        if delivery.message.kind == Kind::Unreadable {
            let (channel, queue) = (&subscription.channel, self.methods[method].name.to_string());
            return self.reject(broken, method, queue, Arc::clone(channel), delivery);
        }
        let settlement = subscription.settlement(&delivery);
        self.start(broken, method, delivery, settlement);
    }

    /// Rejects what cannot be read.
    fn reject(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: usize,
        queue: String,
        channel: Arc<dyn ServeChannel>,
        delivery: Delivery,
    ) {
        let (station, broken) = (Arc::clone(&self.stations[method]), broken.clone());
        self.calls.spawn(async move {
            let rejected = unreadable::reject(&*channel, &station.method, &queue, delivery).await;
            station.tell_if_broken(rejected, &broken);
        });
    }

    /// Starts each call of a batch.
    fn start_batch(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: usize,
        batch: Delivery,
        channel: BatchChannel,
    ) {
        let BatchChannel { channel, replies } = channel;
        if batch.message.kind == Kind::Unreadable {
            let lane = queue_of(&self.methods[method].name).unwrap_or_default();
            return self.reject(broken, method, lane, channel, batch);
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
                let name = &self.methods[method].name;
                let reason = unreadable.err().unwrap_or("it is no batch of calls");
                warn!(method = %name, reason, "dropped a batch");
                return self.stations[method].tell_if_broken(channel.ack(tag), broken);
            }
        };
        let batch = Arc::new(OpenBatch::new(channel, tag, calls.len(), replies));
        let lane = self.lanes[method].as_ref();
        let share = lane.map_or(1, |lane| lane.latency.together());
        let mut calls = calls.into_iter();
        while calls.len() > 0 {
            let mut together = Vec::with_capacity(share.min(calls.len()));
            for message in calls.by_ref().take(share) {
                let delivery = Delivery {
                    message,
                    redelivered,
                    tag,
                };
                let settlement = Settlement::InBatch(Arc::clone(&batch));
                together.extend(self.arrive(broken, method, delivery, settlement));
            }
            let station = Arc::clone(&self.stations[method]);
            self.calls
                .spawn(station.serve_all(together, broken.clone()));
        }
    }

    /// Starts a call that came by itself.
    fn start(
        &mut self,
        broken: &mpsc::Sender<String>,
        method: usize,
        delivery: Delivery,
        settlement: Settlement,
    ) {
        if let Some(call) = self.arrive(broken, method, delivery, settlement) {
            let (station, broken) = (Arc::clone(&self.stations[method]), broken.clone());
            self.calls
                .spawn(async move { station.serve(call, &broken).await });
        }
    }

    /// Judges a call that has arrived; `None` if only a copy of it is to run.
    fn arrive(
        &mut self,
        broken: &mpsc::Sender<String>,
        index: usize,
        delivery: Delivery,
        settlement: Settlement,
    ) -> Option<Box<ServerCall>> {
        let station = &self.stations[index];
        let method = &station.method;
        let verdict = redelivery::judge(method, &delivery);
        // At the arrival: what a call waits for its turn on this machine counts too.
        let deadline = self.clocks.deadline(&delivery);
        let Delivery {
            message,
            redelivered,
            ..
        } = delivery;
        let mut dead_letter = None;
        let refused = match verdict {
            Verdict::Run => too_large(method, message.body.len(), station.message_size),
            Verdict::Refuse(fault) => Some(fault),
            Verdict::DeadLetter(fault) => {
                error!(method = %method.name, fault.message, "a call is given up");
                dead_letter = method.options.dead_letters.clone().map(|queue| {
                    let letter = redelivery::dead_letter_of(method, &message);
                    Box::new((queue, letter))
                });
                Some(fault)
            }
            Verdict::Replace(copy) => {
                let (station, broken) = (Arc::clone(station), broken.clone());
                self.calls.spawn(async move {
                    let _replacing = station.replacing.read().await;
                    let replaced = settlement.replace(&station.method, *copy).await;
                    station.tell_if_broken(replaced, &broken);
                });
                return None;
            }
        };
        let arrived = Arrived {
            redelivered: redelivered || message.marks.attempts.is_some(),
            message,
            refused,
            deadline,
        };
        Some(Box::new(ServerCall {
            arrived,
            settlement,
            dead_letter,
            open: Arc::clone(&self.open),
        }))
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
            let handed_back = timeout(HAND_BACK_LIMIT, subscription.hand_back(&self.methods));
            match handed_back.await {
                Ok(kept) => {
                    for (method, delivery) in kept {
                        self.start_alone(subscription, method, delivery);
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
                let unfinished = Arc::strong_count(&self.open) - 1 + unsettled;
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

    /// Leaves the lanes and finishes the calls that run.
    async fn finish(&mut self, subscription: Option<&mut Subscription>) {
        let methods = self.methods.clone();
        let Some(subscription) = subscription else {
            return self.calls.finish().await;
        };
        join(subscription.inlet.leave(&methods), self.calls.finish()).await;
        for channel in subscription.channels() {
            channel.all_settled().await;
        }
    }
}

/// Whoever sent it may have a larger limit, or none.
fn too_large(method: &Method, size: usize, limit: usize) -> Option<Fault> {
    (size > limit).then(|| {
        Fault::new(
            kind::CALL_TOO_LARGE,
            format!(
                "`{}` did not run: the call is {size} bytes and the server's limit is {limit}",
                method.name
            ),
        )
    })
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
