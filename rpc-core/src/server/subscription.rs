//! A channel with a subscription to each method of a server.

use std::collections::BTreeSet;
use std::fmt;
use std::future::ready;
use std::slice;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use futures_util::stream::once;
use tokio::sync::mpsc;
use tracing::debug;

use crate::contract::service::Method;
use crate::error::serve::ServeError;
use crate::server::batch_consumer::{BatchChannel, BatchConsumer};
use crate::server::redelivery::is_unique;
use crate::server::select_all::SelectAll;
use crate::server::settlement::Settlement;
use crate::transport::{Link, ServeChannel};
use crate::wire::message::{Delivery, Kind};
use crate::wire::queue_options::QueueOptions;

/// Where the calls of a server come from.
pub(crate) struct Subscription {
    pub(crate) channel: Arc<dyn ServeChannel>,
    arrivals: SelectAll<ServerEvent>,
    pub(crate) inlet: BatchConsumer,
    /// Told when a reply or an ack could not be sent, with the reason. The channel is given up then, so
    /// that the broker hands its calls to a server that can answer. One reason is enough, so it holds one.
    pub(crate) broken: mpsc::Sender<String>,
    breaks: mpsc::Receiver<String>,
}

/// What a subscription brings. Methods go by their index.
pub(crate) enum ServerEvent {
    // Boxed, since most of a channel's arrivals wait in its streams, and the others are small.
    Call {
        method: usize,
        delivery: Box<Delivery>,
    },
    Batch {
        method: usize,
        batch: Box<Delivery>,
        channel: BatchChannel,
    },
    /// The subscription of a method is over: the broker cancelled it, or the channel is gone.
    Ended { method: usize },
    /// An answer could not be sent.
    Broken { reason: String },
}

impl Subscription {
    /// Opens a channel and subscribes to every method.
    pub(crate) async fn open(
        link: &Arc<dyn Link>,
        methods: &[Arc<Method>],
        inlet: BatchConsumer,
    ) -> Result<Self, ServeError> {
        let channel = link.serve_channel().await?;
        let (broken, breaks) = mpsc::channel(1);
        let mut subscription = Self {
            channel,
            arrivals: SelectAll::new(),
            inlet,
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

    async fn subscribe_all(&mut self, methods: &[Arc<Method>]) -> Result<(), ServeError> {
        // All are declared before the first is taken from. A server that cannot start must not have taken
        // calls: they would count as begun.
        self.declare(methods).await?;
        for (index, method) in methods.iter().enumerate() {
            self.take_from(index, method).await?;
        }
        Ok(())
    }

    /// Subscribes to one method again, whose queue may be gone.
    pub(crate) async fn renew(
        &mut self,
        index: usize,
        method: &Arc<Method>,
    ) -> Result<(), ServeError> {
        self.declare(slice::from_ref(method)).await?;
        self.take_from(index, method).await
    }

    async fn declare(&mut self, methods: &[Arc<Method>]) -> Result<(), ServeError> {
        // Methods may share one.
        let dead_letters: BTreeSet<_> = (methods.iter())
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

    async fn take_from(&mut self, index: usize, method: &Method) -> Result<(), ServeError> {
        let deliveries = self
            .channel
            .subscribe(&method.name, method.options.concurrency)
            .await?;
        let calls = deliveries.map(move |delivery| ServerEvent::Call {
            method: index,
            delivery: Box::new(delivery),
        });
        let end = once(ready(ServerEvent::Ended { method: index }));
        self.arrivals.push(Box::pin(calls.chain(end)));
        Ok(())
    }

    /// What comes next; nothing, where there is no method. Cancel safe.
    pub(crate) async fn next(&mut self) -> ServerEvent {
        tokio::select! {
            Some(reason) = self.breaks.recv() => ServerEvent::Broken { reason },
            Some(arrival) = self.arrivals.next() => arrival,
            (method, batch, channel) = self.inlet.next() => ServerEvent::Batch {
                method,
                batch,
                channel,
            },
        }
    }

    /// What settles a call that came by itself.
    pub(crate) fn settlement(&self, delivery: &Delivery) -> Settlement {
        Settlement::Alone {
            channel: Arc::clone(&self.channel),
            tag: delivery.tag,
        }
    }

    /// The channel of calls that come one by one, and that of batches.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<dyn ServeChannel>> {
        [&self.channel].into_iter().chain(self.inlet.channel())
    }

    /// Closes the channels.
    pub(crate) async fn close(&mut self) {
        join(self.channel.close(), self.inlet.close()).await;
    }

    /// Hands back all that has arrived and was not taken, and returns what is better run, or rejected, here. Only
    /// after the channel's `cancel`, which ends the streams.
    pub(crate) async fn hand_back(&mut self, methods: &[Arc<Method>]) -> Vec<(usize, Delivery)> {
        let mut kept = Vec::new();
        let mut handed_back = Vec::new();
        while let Some(arrival) = self.arrivals.next().await {
            let ServerEvent::Call { method, delivery } = arrival else {
                continue;
            };
            let unreadable = delivery.message.kind == Kind::Unreadable;
            if unreadable || (!delivery.redelivered && is_unique(&delivery.message)) {
                kept.push((method, *delivery));
                continue;
            }
            let (settlement, method) = (self.settlement(&delivery), &methods[method]);
            handed_back.push(async move {
                let handed_back = if delivery.redelivered {
                    // As a fresh message it would lose the mark that it may have run before.
                    settlement.channel().requeue(delivery.tag).await
                } else {
                    settlement
                        .replace(method, delivery.message.for_another())
                        .await
                };
                if let Err(error) = handed_back {
                    debug!(queue = %method.name, reason = error.reason, "a call could not be handed back");
                }
            });
        }
        // All at once: the broker confirms each.
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
