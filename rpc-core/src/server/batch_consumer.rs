//! Consumes the batches for the methods of one server.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout_at;
use tracing::{debug, info};

use crate::error::serve::ServeError;
use crate::server::batch_queue::BatchQueue;
use crate::server::consumers::Consumers;
use crate::server::method_server::MethodServer;
use crate::server::reply_batcher::ReplyBatcher;
use crate::server::settlement::replace_batch;
use crate::server::unreadable;
use crate::transport::{Link, ServeChannel, Subscribed};
use crate::wire::batch::unpack;
use crate::wire::batch_route::{BELIEVED, queue_options};
use crate::wire::batching::Batching;
use crate::wire::message::{Delivery, Kind};
use crate::wire::size_limit::SizeLimit;

/// Consumes the batch queues of a server.
///
/// Batches have a channel of their own. A broker that refuses a batch queue, for example because
/// the server may not declare it, closes the channel, and individual calls must not suffer from
/// that. The batch queues are opened while the server is already serving.
pub(crate) struct BatchConsumer {
    link: Arc<dyn Link>,
    methods: Vec<BatchedMethod>,
    max_calls: usize,
    max_bytes: usize,
    channel: Option<BatchChannel>,
    /// Methods whose batch queues must be declared before the next one is opened.
    undeclared: Vec<BatchedMethod>,
    /// Methods whose batch queues must still be opened.
    closed: VecDeque<BatchedMethod>,
    opening: Option<BoxFuture<'static, Result<OpenedQueue, ServeError>>>,
    consumers: Consumers<BatchedMethod>,
    /// Whether the server is leaving: then no queue counts as open any more.
    leaving: bool,
}

/// A batch queue that has just been opened.
struct OpenedQueue {
    channel: BatchChannel,
    method: BatchedMethod,
    subscribed: Subscribed,
}

/// A method that has a batch queue.
#[derive(Clone, Debug)]
pub(crate) struct BatchedMethod {
    pub(crate) method: Arc<MethodServer>,
    pub(crate) queue: Arc<BatchQueue>,
}

/// The channel of the batch queues.
#[derive(Clone)]
pub(crate) struct BatchChannel {
    pub(crate) channel: Arc<dyn ServeChannel>,
    pub(crate) replies: Arc<ReplyBatcher>,
}

impl BatchConsumer {
    pub(crate) fn new(
        link: &Arc<dyn Link>,
        methods: &[Arc<MethodServer>],
        batching: &Batching,
    ) -> Self {
        let methods = methods.iter().filter_map(|method| {
            Some(BatchedMethod {
                queue: Arc::clone(method.batch_queue.as_ref()?),
                method: Arc::clone(method),
            })
        });
        let methods: Vec<_> = methods.collect();
        Self {
            link: Arc::clone(link),
            max_calls: batching.max_calls,
            max_bytes: batching.max_bytes,
            channel: None,
            undeclared: methods.clone(),
            closed: methods.iter().cloned().collect(),
            methods,
            opening: None,
            consumers: Consumers::default(),
            leaving: false,
        }
    }

    /// Waits for the next batch, and returns it with its method and its channel. Waits for ever if
    /// no method accepts batches. Cancel safe.
    pub(crate) async fn next(&mut self) -> (BatchedMethod, Box<Delivery>, BatchChannel) {
        loop {
            self.open_next();
            let (method, batch) = tokio::select! {
                // First, because the end of a subscription must not be seen before its beginning.
                biased;
                opened = until_opened(&mut self.opening) => {
                    self.opening = None;
                    self.enter(opened);
                    continue;
                }
                // A batch may come before the news that the first queue is open.
                arrived = self.consumers.next(), if self.channel.is_some() => arrived,
            };
            match (batch, &self.channel) {
                (Some(batch), Some(channel)) if !channel.channel.is_over() => {
                    return (method, batch, channel.clone());
                }
                // It may run elsewhere by now.
                (Some(_), _) => {}
                (None, _) => {
                    method.queue.shut();
                    if !self.leaving {
                        self.undeclared.push(method.clone());
                        self.closed.push_back(method);
                    }
                }
            }
        }
    }

    /// Starts to open the next queue. Queues are opened one after the other, because the prefetch
    /// of a channel applies to the subscriptions that follow.
    fn open_next(&mut self) {
        if self.opening.is_some() {
            return;
        }
        let Some(method) = self.closed.pop_front() else {
            return;
        };
        let (link, channel) = (Arc::clone(&self.link), self.channel.clone());
        let undeclared = mem::take(&mut self.undeclared);
        let take = self
            .consumers
            .open_for(method.clone(), method.method.size_limit);
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
            // All queues are declared before the first is consumed: a refused declaration closes
            // the channel, on which batches may already run.
            for BatchedMethod { queue, .. } in undeclared {
                channel
                    .channel
                    .declare(&queue.name, &queue_options())
                    .await?;
            }
            let BatchQueue { name, prefetch, .. } = &*method.queue;
            let subscribed = channel.channel.subscribe(name, *prefetch, take).await?;
            Ok(OpenedQueue {
                channel,
                method,
                subscribed,
            })
        }));
    }

    fn enter(&mut self, opened: Result<OpenedQueue, ServeError>) {
        let OpenedQueue {
            channel,
            method: BatchedMethod { queue, .. },
            subscribed,
        } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // The broker has closed the channel. Calls still arrive individually.
                info!(%error, "not accepting batches");
                self.consumers.failed();
                self.closed.clear();
                return;
            }
        };
        self.channel = Some(channel);
        self.consumers.opened(&queue.name, subscribed);
        if !self.leaving {
            queue.open();
        }
    }

    /// Tells callers to send no more batches, and opens no other queue.
    async fn shut_all(&mut self) {
        self.queues().for_each(BatchQueue::shut);
        self.closed.clear();
        // A subscription that was abandoned half way would live on at the broker, and hold batches.
        if let Some(opening) = self.opening.take() {
            let opened = opening.await;
            self.enter(opened);
        }
    }

    fn queues(&self) -> impl Iterator<Item = &BatchQueue> {
        self.methods.iter().map(|method| &*method.queue)
    }

    /// Leaves the batch queues. Tells callers to send no more batches, and hands back batches that
    /// still arrive until every caller must know. A batch that is left in its queue would wait for
    /// another server that accepts batches, and there may be none.
    pub(crate) async fn leave(&mut self) {
        self.leaving = true;
        self.shut_all().await;
        let mut redelivered = Vec::new();
        let invited = self.queues().filter_map(BatchQueue::last_invited).max();
        if let Some(last) = invited {
            let end = last + BELIEVED + ON_THE_WAY;
            while let Ok((method, batch, channel)) = timeout_at(end, self.next()).await {
                if batch.redelivered {
                    // Handed back now, it would return to this server at once.
                    redelivered.push((method, batch));
                } else {
                    channel.hand_back(&method, *batch).await;
                }
            }
        }
        let Some(channel) = self.channel.clone() else {
            return;
        };
        channel.channel.cancel().await;
        for (method, batch) in redelivered {
            channel.hand_back(&method, *batch).await;
        }
        while self.consumers.open() > 0 {
            if let (method, Some(batch)) = self.consumers.next().await {
                channel.hand_back(&method, *batch).await;
            }
        }
    }

    /// The channel of the batch queues, if there is one.
    pub(crate) fn channel(&self) -> Option<&Arc<dyn ServeChannel>> {
        self.channel.as_ref().map(|channel| &channel.channel)
    }

    /// Closes the channel of the batch queues.
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
            .field("methods", &self.methods)
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
    /// Hands back the calls of a batch individually, to the queue of their method.
    async fn hand_back(&self, BatchedMethod { method, queue }: &BatchedMethod, batch: Delivery) {
        let (channel, method) = (&*self.channel, &method.method);
        let handed_back = async {
            if batch.message.kind == Kind::Unreadable {
                return unreadable::reject(channel, method, &queue.name, batch).await;
            }
            if batch.redelivered {
                // As new messages, the calls would lose the mark that they may have run before.
                return channel.requeue(batch.tag).await;
            }
            // A batch that cannot be read would not run either, so nothing takes its place.
            let calls = unpack(&batch.message, SizeLimit::NONE).unwrap_or_default();
            replace_batch(channel, batch.tag, method, calls).await
        };
        if let Err(error) = handed_back.await {
            // The broker redelivers the batch when the channel ends.
            debug!(
                queue = queue.name,
                reason = error.reason.words,
                "a batch could not be handed back"
            );
        }
    }
}

/// How long a batch, and the reply that invited its caller to send it, may be in transit.
const ON_THE_WAY: Duration = Duration::from_millis(100);
