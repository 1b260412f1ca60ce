//! Takes batches from the broker, for the methods of one server.

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

/// Where the batches of a server come from.
///
/// They have a channel of their own: a broker that refuses a batch queue, as where a server may not declare
/// it, closes the channel, and calls that come one by one must not suffer. The queues are opened while the
/// server serves already.
pub(crate) struct BatchConsumer {
    link: Arc<dyn Link>,
    /// Those that have a batch queue.
    methods: Vec<Arc<MethodServer>>,
    max_calls: usize,
    max_bytes: usize,
    channel: Option<BatchChannel>,
    /// Methods whose batch queues are to be declared before the next is opened.
    undeclared: Vec<Arc<MethodServer>>,
    /// Methods whose batch queues are to be opened.
    closed: VecDeque<Arc<MethodServer>>,
    opening: Option<BoxFuture<'static, Result<Opened, ServeError>>>,
    arrivals: SelectAll<BatchEvent>,
    /// Whether no queue counts as open any more.
    leaving: bool,
}

/// A batch queue that has just been opened.
struct Opened {
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
    // Boxed, because most of what arrives waits in the streams.
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

    /// The next batch, with its method and its channel; nothing, where no method takes batches. Cancel
    /// safe.
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

    /// Opens one queue after the other: the prefetch of a channel counts for the subscriptions that follow.
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
            // All before the first is taken from: one that is refused closes the channel, under batches that
            // run.
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
            Ok(Opened {
                channel,
                method,
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
        // A subscription that was given up half way would go on at the broker, and hold batches.
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

    /// Leaves the queues: tells callers to send no more batches, and hands back those that still come until
    /// all must know. What is left in a batch queue would wait for another server that takes batches, and
    /// there may be none.
    pub(crate) async fn leave(&mut self) {
        self.leaving = true;
        self.shut_all().await;
        let mut redelivered = Vec::new();
        let invited = self.queues().filter_map(BatchQueue::last_invited).max();
        if let Some(last) = invited {
            let end = last + BELIEVED + ON_THE_WAY;
            while let Ok((method, batch, channel)) = timeout_at(end, self.next()).await {
                if batch.redelivered {
                    // It would come back here at once.
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
    /// Hands back the calls of a batch, each by itself, to the queue of their method.
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

/// How long a batch, and the reply that invited its caller, may take on their ways.
const ON_THE_WAY: Duration = Duration::from_millis(100);
