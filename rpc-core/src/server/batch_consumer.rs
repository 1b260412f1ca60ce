//! Consumes the batches for the methods of one server.

use std::collections::VecDeque;
use std::fmt;
use std::future::{pending, ready};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use tokio::time::timeout_at;
use tracing::{debug, info};

use crate::error::serve::ServeError;
use crate::server::batch_queue::BatchQueue;
use crate::server::method_server::MethodServer;
use crate::server::reply_batcher::ReplyBatcher;
use crate::server::select_all::SelectAll;
use crate::server::settlement::replace_batch;
use crate::server::unreadable;
use crate::transport::{Link, Messages, ServeChannel};
use crate::wire::batch::unpack;
use crate::wire::batch_route::{BELIEVED, queue_options};
use crate::wire::batching::Batching;
use crate::wire::message::{Delivery, Kind};

/// Consumes the batch queues of a server.
///
/// Batches have a channel of their own. A broker that refuses a batch queue, for example because
/// the server may not declare it, closes the channel, and individual calls must not suffer from
/// that. The batch queues are opened while the server is already serving.
pub(crate) struct BatchConsumer {
    link: Arc<dyn Link>,
    /// The methods that have a batch queue.
    methods: Vec<Arc<MethodServer>>,
    max_calls: usize,
    max_bytes: usize,
    channel: Option<BatchChannel>,
    /// Methods whose batch queues must be declared before the next one is opened.
    undeclared: Vec<Arc<MethodServer>>,
    /// Methods whose batch queues must still be opened.
    closed: VecDeque<Arc<MethodServer>>,
    opening: Option<BoxFuture<'static, Result<OpenedQueue, ServeError>>>,
    arrivals: SelectAll<BatchEvent>,
    /// Whether the server is leaving: then no queue counts as open any more.
    leaving: bool,
}

/// A batch queue that has just been opened.
struct OpenedQueue {
    channel: BatchChannel,
    method: Arc<MethodServer>,
    batches: Messages<Delivery>,
}

/// The channel of the batch queues.
#[derive(Clone)]
pub(crate) struct BatchChannel {
    pub(crate) channel: Arc<dyn ServeChannel>,
    pub(crate) replies: Arc<ReplyBatcher>,
}

enum BatchEvent {
    // Boxed, because most batches wait in the streams.
    Batch {
        method: Arc<MethodServer>,
        batch: Box<Delivery>,
    },
    Ended {
        method: Arc<MethodServer>,
    },
}

impl BatchConsumer {
    pub(crate) fn new(
        link: &Arc<dyn Link>,
        methods: &[Arc<MethodServer>],
        batching: &Batching,
    ) -> Self {
        let with_queue = methods.iter().filter(|method| method.batch_queue.is_some());
        let methods: Vec<_> = with_queue.cloned().collect();
        Self {
            link: Arc::clone(link),
            max_calls: batching.max_calls,
            max_bytes: batching.max_bytes,
            channel: None,
            undeclared: methods.clone(),
            closed: methods.iter().cloned().collect(),
            methods,
            opening: None,
            arrivals: SelectAll::new(),
            leaving: false,
        }
    }

    /// Waits for the next batch, and returns it with its method and its channel. Waits for ever if
    /// no method accepts batches. Cancel safe.
    pub(crate) async fn next(&mut self) -> (Arc<MethodServer>, Box<Delivery>, BatchChannel) {
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
                    if let Some(queue) = &method.batch_queue {
                        queue.shut();
                    }
                    if !self.leaving {
                        self.undeclared.push(Arc::clone(&method));
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
            for queue in undeclared
                .iter()
                .filter_map(|method| method.batch_queue.as_ref())
            {
                channel
                    .channel
                    .declare(&queue.name, &queue_options())
                    .await?;
            }
            let batches: Messages<Delivery> = match &method.batch_queue {
                Some(queue) => {
                    let subscribing = channel.channel.subscribe(&queue.name, queue.prefetch);
                    subscribing.await?
                }
                None => Box::pin(stream::empty()),
            };
            Ok(OpenedQueue {
                channel,
                method,
                batches,
            })
        }));
    }

    fn enter(&mut self, opened: Result<OpenedQueue, ServeError>) {
        let OpenedQueue {
            channel,
            method,
            batches,
        } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // The broker has closed the channel. Calls still arrive individually.
                info!(%error, "not accepting batches");
                self.closed.clear();
                return;
            }
        };
        self.channel = Some(channel);
        if let Some(queue) = method.batch_queue.as_ref().filter(|_| !self.leaving) {
            queue.open();
        }
        let end = BatchEvent::Ended {
            method: Arc::clone(&method),
        };
        let batches = batches.map(move |batch| BatchEvent::Batch {
            method: Arc::clone(&method),
            batch: Box::new(batch),
        });
        self.arrivals
            .push(Box::pin(batches.chain(stream::once(ready(end)))));
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
        self.methods
            .iter()
            .filter_map(|method| method.batch_queue.as_ref())
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
        while let Some(arrival) = self.arrivals.next().await {
            if let BatchEvent::Batch { method, batch } = arrival {
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
    async fn hand_back(&self, server: &MethodServer, batch: Delivery) {
        let channel = &*self.channel;
        let method = &server.method;
        let queue = &*method.name;
        let handed_back = async {
            if batch.message.kind == Kind::Unreadable {
                let batch_queue = server
                    .batch_queue
                    .as_ref()
                    .map_or(queue, |queue| &queue.name);
                return unreadable::reject(channel, method, batch_queue, batch).await;
            }
            if batch.redelivered {
                // As new messages, the calls would lose the mark that they may have run before.
                return channel.requeue(batch.tag).await;
            }
            // A batch that cannot be read would not run either, so nothing takes its place.
            let calls = unpack(&batch.message).unwrap_or_default();
            replace_batch(channel, batch.tag, method, calls).await
        };
        if let Err(error) = handed_back.await {
            // The broker redelivers the batch when the channel ends.
            debug!(
                queue,
                reason = error.reason.words,
                "a batch could not be handed back"
            );
        }
    }
}

/// How long a batch, and the reply that invited its caller to send it, may be in transit.
const ON_THE_WAY: Duration = Duration::from_millis(100);
