//! A channel with a subscription to each method of a server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use tokio::sync::mpsc;
use tracing::debug;

use crate::contract::service::Method;
use crate::error::serve::ServeError;
use crate::server::batch_consumer::{BatchChannel, BatchConsumer, BatchedMethod};
use crate::server::consumers::Consumers;
use crate::server::method_server::MethodServer;
use crate::server::redelivery::is_unique;
use crate::server::settlement::Settlement;
use crate::transport::{Link, ServeChannel};
use crate::wire::message::Delivery;
use crate::wire::queue_options::QueueOptions;

/// The channels of a server, and the calls that arrive on them.
pub(crate) struct Subscription {
    pub(crate) channel: Arc<dyn ServeChannel>,
    consumers: Consumers<Arc<MethodServer>>,
    pub(crate) batches: BatchConsumer,
    /// Takes the reason when a reply or an ack could not be sent. The channel is then abandoned, so
    /// that the broker redelivers its calls to a server that can answer. One reason is enough, so
    /// the capacity is 1.
    pub(crate) broken: mpsc::Sender<String>,
    breaks: mpsc::Receiver<String>,
}

/// What a subscription yields.
pub(crate) enum Arrival {
    Call(Arc<MethodServer>, Box<Delivery>),
    Batch(BatchedMethod, Box<Delivery>, BatchChannel),
    /// The subscription of a method has ended: the broker cancelled it, or the channel is gone.
    Ended(Arc<MethodServer>),
    /// An answer could not be sent.
    Broken {
        reason: String,
    },
}

impl Subscription {
    /// Opens a channel and subscribes to every method.
    pub(crate) async fn open(
        link: &Arc<dyn Link>,
        methods: &[Arc<MethodServer>],
        batches: BatchConsumer,
    ) -> Result<Self, ServeError> {
        let channel = link.serve_channel().await?;
        let (broken, breaks) = mpsc::channel(1);
        let mut subscription = Self {
            channel,
            consumers: Consumers::default(),
            batches,
            broken,
            breaks,
        };
        match subscription.subscribe_all(methods).await {
            Ok(()) => Ok(subscription),
            Err(error) => {
                subscription.channel.close().await;
                Err(error)
            }
        }
    }

    async fn subscribe_all(&mut self, methods: &[Arc<MethodServer>]) -> Result<(), ServeError> {
        // All queues are declared before the first is consumed. A server that cannot start must not
        // have taken calls, because they would count as started.
        self.declare(methods).await?;
        for method in methods {
            self.consume(Arc::clone(method)).await?;
        }
        Ok(())
    }

    /// Subscribes to one method again. Its queue may be gone, so it is declared first.
    pub(crate) async fn renew(&mut self, method: Arc<MethodServer>) -> Result<(), ServeError> {
        self.declare(std::slice::from_ref(&method)).await?;
        self.consume(method).await
    }

    async fn declare(&mut self, methods: &[Arc<MethodServer>]) -> Result<(), ServeError> {
        let methods = methods.iter().map(|server| &server.method);
        // Methods may share a dead-letter queue.
        let dead_letters: BTreeSet<_> = (methods.clone())
            .filter_map(|method| method.options.dead_letters.as_deref())
            .collect();
        for queue in dead_letters {
            let options = QueueOptions::default();
            self.channel.declare(queue, &options).await?;
        }
        for method in methods {
            let options = &method.options.queue;
            self.channel.declare(&method.name, options).await?;
        }
        Ok(())
    }

    async fn consume(&mut self, server: Arc<MethodServer>) -> Result<(), ServeError> {
        let take = self
            .consumers
            .open_for(Arc::clone(&server), server.size_limit);
        let Method { name, options, .. } = &server.method;
        let subscribing = self.channel.subscribe(name, options.concurrency, take);
        // If this fails, the channel is gone with all that is open.
        let subscribed = subscribing.await?;
        self.consumers.opened(name, subscribed);
        Ok(())
    }

    /// Waits for the next arrival. Waits for ever if there is no method. Cancel safe.
    pub(crate) async fn next(&mut self) -> Arrival {
        loop {
            tokio::select! {
                Some(reason) = self.breaks.recv() => return Arrival::Broken { reason },
                (method, call) = self.consumers.next() => match call {
                    None => return Arrival::Ended(method),
                    // It may run elsewhere by now.
                    Some(_) if self.channel.is_over() => {}
                    Some(call) => return Arrival::Call(method, call),
                },
                (method, batch, channel) = self.batches.next() => {
                    return Arrival::Batch(method, batch, channel);
                }
            }
        }
    }

    /// The settlement of a call that arrived individually.
    pub(crate) fn settlement(&self, tag: u64) -> Settlement {
        Settlement::Alone {
            channel: Arc::clone(&self.channel),
            tag,
        }
    }

    /// The channel of individual calls, and that of batches if there is one.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<dyn ServeChannel>> {
        [&self.channel].into_iter().chain(self.batches.channel())
    }

    /// Closes the channels.
    pub(crate) async fn close(&mut self) {
        join(self.channel.close(), self.batches.close()).await;
    }

    /// Hands back the calls that have arrived and were not started. Returns those that are better
    /// run, or rejected, here. Must be called only after the channel's `cancel`, which ends the
    /// subscriptions.
    pub(crate) async fn hand_back(&mut self) -> Vec<(Arc<MethodServer>, Box<Delivery>)> {
        let mut kept = Vec::new();
        let mut handed_back = Vec::new();
        while self.consumers.open() > 0 {
            let (method, Some(call)) = self.consumers.next().await else {
                continue;
            };
            if !call.message.kind.is_call() || (!call.redelivered && is_unique(&call.message)) {
                kept.push((method, call));
                continue;
            }
            let settlement = self.settlement(call.tag);
            handed_back.push(async move {
                let handed_back = if call.redelivered {
                    // As a new message, the call would lose the mark that it may have run before.
                    settlement.channel().requeue(call.tag).await
                } else {
                    let copy = call.message.for_another();
                    settlement.replace(&method.method, copy).await
                };
                if let Err(error) = handed_back {
                    let (queue, reason) = (&*method.method.name, error.reason.words);
                    debug!(queue, reason, "a call could not be handed back");
                }
            });
        }
        // All at once, because each waits for its confirmation by the broker.
        join_all(handed_back).await;
        kept
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
