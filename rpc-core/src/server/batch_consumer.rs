//! Takes batches from the broker, for the methods of one server.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, ready};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::once;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};

use crate::contract::options::MethodOptions;
use crate::contract::service::Method;
use crate::error::serve::ServeError;
use crate::server::handler_latency::HandlerLatency;
use crate::server::reply_batcher::ReplyBatcher;
use crate::server::select_all::SelectAll;
use crate::server::settlement::replace_batch;
use crate::server::unreadable;
use crate::transport::{Link, Messages, ServeChannel};
use crate::wire::batch::unpack;
use crate::wire::batch_queue::{BELIEVED, queue_of, queue_options};
use crate::wire::batching::{Batching, Mode};
use crate::wire::message::{Delivery, Kind};

/// The lane of one method, on its server.
#[derive(Debug)]
pub(crate) struct BatchQueue {
    queue: String,
    /// How many batches are taken at a time.
    prefetch: u16,
    /// Whether it is subscribed to.
    open: AtomicBool,
    /// When a caller was last told that it takes batches.
    told: Mutex<Option<Instant>>,
    pub(crate) latency: HandlerLatency,
}

impl BatchQueue {
    /// `None` for a method that has none.
    pub(crate) fn of(method: &Method, batching: &Batching) -> Option<Arc<Self>> {
        if batching.mode == Mode::Off || !is_open_to(&method.options) {
            return None;
        }
        let concurrency = method.options.concurrency;
        Some(Arc::new(Self {
            queue: queue_of(&method.name)?,
            prefetch: concurrency / PER_BATCH,
            open: AtomicBool::new(false),
            told: Mutex::default(),
            latency: HandlerLatency::default(),
        }))
    }

    /// Whether callers should send batches. Those who are told so may do it for a while.
    pub(crate) fn takes(&self, now: Instant) -> bool {
        let takes = self.open.load(Ordering::Relaxed) && self.latency.is_fast();
        if takes {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            *told = Some(now);
        }
        takes
    }

    fn shut(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    fn told(&self) -> Option<Instant> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the batches of a server come from.
///
/// They have a channel of their own: a broker that refuses a lane, as where a server may not declare it, closes
/// the channel, and calls that come one by one must not suffer. The lanes are opened while the server serves
/// already.
pub(crate) struct BatchConsumer {
    link: Arc<dyn Link>,
    lanes: Arc<[Option<Arc<BatchQueue>>]>,
    max_calls: usize,
    max_bytes: usize,
    channel: Option<BatchChannel>,
    /// Lanes to declare before the next is opened, by the index of their method.
    undeclared: Vec<usize>,
    /// Lanes to open.
    closed: VecDeque<usize>,
    opening: Option<BoxFuture<'static, Result<Opened, ServeError>>>,
    arrivals: SelectAll<BatchEvent>,
    /// Whether no lane counts as open any more.
    leaving: bool,
}

/// A lane that has just been opened.
struct Opened {
    channel: BatchChannel,
    method: usize,
    batches: Messages<Delivery>,
}

/// The channel of the lanes.
#[derive(Clone)]
pub(crate) struct BatchChannel {
    pub(crate) channel: Arc<dyn ServeChannel>,
    pub(crate) replies: Arc<ReplyBatcher>,
}

enum BatchEvent {
    // Boxed, as most of what arrives waits in the streams.
    Batch { method: usize, batch: Box<Delivery> },
    Ended { method: usize },
}

impl BatchConsumer {
    pub(crate) fn new(
        link: &Arc<dyn Link>,
        lanes: &Arc<[Option<Arc<BatchQueue>>]>,
        batching: &Batching,
    ) -> Self {
        let indices = lanes.iter().enumerate();
        let closed = indices.filter_map(|(index, lane)| lane.as_ref().map(|_| index));
        let closed: VecDeque<_> = closed.collect();
        Self {
            link: Arc::clone(link),
            lanes: Arc::clone(lanes),
            max_calls: batching.max_calls,
            max_bytes: batching.max_bytes,
            channel: None,
            undeclared: closed.iter().copied().collect(),
            closed,
            opening: None,
            arrivals: SelectAll::new(),
            leaving: false,
        }
    }

    /// The next batch, with the index of its method and its channel; nothing, where there are no lanes. Cancel
    /// safe.
    pub(crate) async fn next(&mut self) -> (usize, Box<Delivery>, BatchChannel) {
        loop {
            self.open_next();
            let arrival = tokio::select! {
                opened = until_opened(&mut self.opening) => {
                    self.opening = None;
                    self.enter(opened);
                    continue;
                }
                Some(arrival) = self.arrivals.next() => arrival,
            };
            match arrival {
                BatchEvent::Batch { method, batch } => {
                    if let Some(channel) = &self.channel {
                        return (method, batch, channel.clone());
                    }
                }
                BatchEvent::Ended { method } => {
                    self.shut(method);
                    if !self.leaving {
                        self.undeclared.push(method);
                        self.closed.push_back(method);
                    }
                }
            }
        }
    }

    /// Opens one lane after the other: the prefetch of a channel counts for the subscriptions that follow.
    fn open_next(&mut self) {
        if self.opening.is_some() {
            return;
        }
        let Some(index) = self.closed.pop_front() else {
            return;
        };
        let Some(lane) = self.lanes[index].clone() else {
            return;
        };
        let (link, channel) = (Arc::clone(&self.link), self.channel.clone());
        let (lanes, undeclared) = (Arc::clone(&self.lanes), mem::take(&mut self.undeclared));
        let (max_calls, max_bytes) = (self.max_calls, self.max_bytes);
        self.opening = Some(Box::pin(async move {
            let channel = match channel {
                Some(channel) => channel,
                None => {
                    let channel = link.serve_channel().await?;
                    let replies = ReplyBatcher::new(Arc::clone(&channel), max_calls, max_bytes);
                    BatchChannel {
                        channel,
                        replies: Arc::new(replies),
                    }
                }
            };
            // All before the first is taken from: one that is refused closes the channel, under batches that run.
            for lane in undeclared
                .into_iter()
                .filter_map(|index| lanes[index].as_ref())
            {
                let options = queue_options();
                channel.channel.declare(&lane.queue, &options).await?;
            }
            let batches = channel
                .channel
                .subscribe(&lane.queue, lane.prefetch)
                .await?;
            Ok(Opened {
                channel,
                method: index,
                batches,
            })
        }));
    }

    fn enter(&mut self, opened: Result<Opened, ServeError>) {
        let Opened {
            channel,
            method,
            batches,
        } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // The broker has closed the channel. Calls still come one by one.
                info!(%error, "batches are not taken");
                self.closed.clear();
                return;
            }
        };
        self.channel = Some(channel);
        if let Some(lane) = self.lanes[method].as_ref().filter(|_| !self.leaving) {
            lane.open.store(true, Ordering::Relaxed);
        }
        let batches = batches.map(move |batch| BatchEvent::Batch {
            method,
            batch: Box::new(batch),
        });
        let end = once(ready(BatchEvent::Ended { method }));
        self.arrivals.push(Box::pin(batches.chain(end)));
    }

    fn shut(&self, method: usize) {
        if let Some(lane) = &self.lanes[method] {
            lane.shut();
        }
    }

    /// Tells callers to send no more batches, and opens no other lane.
    async fn shut_all(&mut self) {
        self.lanes.iter().flatten().for_each(|lane| lane.shut());
        self.closed.clear();
        // A subscription that was given up half way would go on at the broker, and hold batches.
        if let Some(opening) = self.opening.take() {
            let opened = opening.await;
            self.enter(opened);
        }
    }

    /// Leaves the lanes: tells callers to send no more batches, and hands back those that still come until all
    /// must know. What is left in a lane would wait for another server that takes batches, and there may be none.
    pub(crate) async fn leave(&mut self, methods: &[Arc<Method>]) {
        self.leaving = true;
        self.shut_all().await;
        let mut redelivered = Vec::new();
        let told = self.lanes.iter().flatten().filter_map(|lane| lane.told());
        if let Some(last) = told.max() {
            let end = last + BELIEVED + ON_THE_WAY;
            while let Ok((method, batch, channel)) = timeout_at(end, self.next()).await {
                if batch.redelivered {
                    // It would come back here at once.
                    redelivered.push((method, batch));
                } else {
                    channel.hand_back(&methods[method], *batch).await;
                }
            }
        }
        let Some(channel) = self.channel.clone() else {
            return;
        };
        channel.channel.cancel().await;
        for (method, batch) in redelivered {
            channel.hand_back(&methods[method], *batch).await;
        }
        while let Some(arrival) = self.arrivals.next().await {
            if let BatchEvent::Batch { method, batch } = arrival {
                channel.hand_back(&methods[method], *batch).await;
            }
        }
    }

    /// Its channel, if there is one.
    pub(crate) fn channel(&self) -> Option<&Arc<dyn ServeChannel>> {
        self.channel.as_ref().map(|channel| &channel.channel)
    }

    /// Closes its channel.
    pub(crate) async fn close(&mut self) {
        self.leaving = true;
        self.shut_all().await;
        if let Some(BatchChannel { channel, .. }) = self.channel.take() {
            channel.close().await;
        }
    }
}

impl fmt::Debug for BatchConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchConsumer")
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}

async fn until_opened<T>(opening: &mut Option<BoxFuture<'static, T>>) -> T {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}

impl BatchChannel {
    /// Hands back the calls of a batch, each by itself, to the queue of their method.
    async fn hand_back(&self, method: &Method, batch: Delivery) {
        let channel = &*self.channel;
        let queue = &*method.name;
        let handed_back = async {
            if batch.message.kind == Kind::Unreadable {
                let lane = queue_of(queue).unwrap_or_default();
                return unreadable::reject(channel, method, &lane, batch).await;
            }
            if batch.redelivered {
                // As fresh messages they would lose the mark that they may have run before.
                return channel.requeue(batch.tag).await;
            }
            // A batch that cannot be read would not be run either.
            let calls = unpack(&batch.message).unwrap_or_default();
            replace_batch(channel, batch.tag, method, calls).await
        };
        if let Err(error) = handed_back.await {
            // It goes to another server with the channel's end.
            debug!(
                queue,
                reason = error.reason,
                "a batch could not be handed back"
            );
        }
    }
}

/// Whether a method that is served like this takes batches. What its queue promises beyond the usual (an
/// order, a limit, replicas), and what few calls at a time mean, a lane beside it would not keep.
fn is_open_to(options: &MethodOptions) -> bool {
    let usual = options.queue.arguments.is_empty() && !options.queue.auto_delete;
    usual && usize::from(options.concurrency) >= FEWEST
}

/// Below this concurrency a batch would hold what other servers could take.
const FEWEST: usize = 64;

/// How long a batch, and the reply that told its caller of the lane, may take on their ways.
const ON_THE_WAY: Duration = Duration::from_millis(100);

/// A server takes this many times fewer batches at a time than it runs calls, so that the next is there when one is
/// done, also where few callers make small ones.
const PER_BATCH: u16 = 32;
