//! The subscriptions of a channel, and what they receive.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::transport::{Subscribed, TakeCall};
use crate::wire::inbound::bound;
use crate::wire::message::Delivery;
use crate::wire::size_limit::SizeLimit;

/// Receives what arrives for all subscriptions, in the order of arrival. `M` says for which.
pub(crate) struct Consumers<M> {
    sender: mpsc::UnboundedSender<Arrived<M>>,
    /// Bounded by the prefetches.
    receiver: mpsc::UnboundedReceiver<Arrived<M>>,
    /// By queue.
    subscribed: HashMap<String, Subscribed>,
    /// How many have not ended.
    open: usize,
}

/// A delivery of a subscription, or its end. Boxed, because a handler's call keeps it so.
type Arrived<M> = (M, Option<Box<Delivery>>);

impl<M: Clone + Send + Sync + 'static> Consumers<M> {
    /// What takes the deliveries of a subscription that is being opened. It counts as open at once,
    /// so it must be told when it [is](Self::opened), or [cannot be](Self::failed).
    ///
    /// What it takes is held to `limit`.
    pub(crate) fn open_for(&mut self, method: M, limit: SizeLimit) -> TakeCall {
        let arrived = self.sender.clone();
        self.open += 1;
        Arc::new(move |mut delivery| {
            if let Some(delivery) = &mut delivery {
                bound(&mut delivery.message, limit);
            }
            // Fails only if the channel is abandoned.
            let _ = arrived.send((method.clone(), delivery.map(Box::new)));
        })
    }

    /// Keeps a subscription. It takes the place of an earlier one of its queue, which has ended.
    pub(crate) fn opened(&mut self, queue: &str, subscribed: Subscribed) {
        self.subscribed.insert(queue.to_owned(), subscribed);
    }

    pub(crate) fn failed(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Waits for the next delivery, or the end of a subscription. Cancel safe.
    pub(crate) async fn next(&mut self) -> Arrived<M> {
        match self.receiver.recv().await {
            Some(arrived) => {
                if arrived.1.is_none() {
                    self.open = self.open.saturating_sub(1);
                }
                arrived
            }
            // This holds a sender itself.
            None => pending().await,
        }
    }

    /// How many subscriptions have not ended.
    pub(crate) fn open(&self) -> usize {
        self.open
    }
}

impl<M> Default for Consumers<M> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver,
            subscribed: HashMap::new(),
            open: 0,
        }
    }
}

impl<M> fmt::Debug for Consumers<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumers")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
