//! The task behind a server: subscribes to its queues, runs what arrives, comes back after losses, and
//! leaves in order.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, once};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::backoff::Backoff;
use crate::connect_error::ConnectError;
use crate::dispatch;
use crate::message::Delivery;
use crate::serve_error::ServeError;
use crate::service::Method;
use crate::supervisor::{Session, State};
use crate::transport::{Link, Loss, Messages, ServeChannel};

/// What a server is and how it stops.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) methods: Vec<Arc<Method>>,
    /// The largest reply, in bytes.
    pub(crate) message_size: usize,
    /// How long running calls may go on after a shutdown began.
    pub(crate) grace: Duration,
    pub(crate) state: watch::Receiver<State<ServeSession>>,
    pub(crate) stop: CancellationToken,
    /// The handlers that run, over all connections; at most the sum of the methods' concurrency for each
    /// connection that was lost while they ran, and one.
    pub(crate) calls: JoinSet<()>,
}

/// A channel with a subscription to each method.
pub(crate) struct Subscribed {
    channel: Arc<dyn ServeChannel>,
    deliveries: SelectAll<Messages<Arrival>>,
    /// Signalled when a reply or an ack could not be sent. The channel is given up then, so that the
    /// broker hands its calls to a server that can answer.
    broken: Arc<Notify>,
}

/// What a subscription brings.
struct Arrival {
    /// The index of its method.
    method: usize,
    /// `None` when the subscription is over: the broker cancelled it, or the channel is gone.
    delivery: Option<Delivery>,
}

enum Pause {
    Stopped,
    Lost,
}

impl Worker {
    /// Opens a channel and subscribes to every method.
    pub(crate) async fn subscribe(&self, link: &Arc<dyn Link>) -> Result<Subscribed, ServeError> {
        let channel = link.serve_channel().await?;
        let mut deliveries = SelectAll::new();
        for index in 0..self.methods.len() {
            match self.subscribe_one(&channel, index).await {
                Ok(arrivals) => deliveries.push(arrivals),
                Err(error) => {
                    channel.close().await;
                    return Err(error);
                }
            }
        }
        Ok(Subscribed {
            channel,
            deliveries,
            broken: Arc::new(Notify::new()),
        })
    }

    async fn subscribe_one(
        &self,
        channel: &Arc<dyn ServeChannel>,
        index: usize,
    ) -> Result<Messages<Arrival>, ServeError> {
        let method = &self.methods[index];
        let options = &method.options;
        let deliveries = channel
            .subscribe(&method.name, &options.queue, options.concurrency)
            .await?;
        let arrival = move |delivery| Arrival {
            method: index,
            delivery,
        };
        Ok(Box::pin(
            deliveries.map(Some).chain(once(ready(None))).map(arrival),
        ))
    }

    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self, first: Subscribed) -> Result<(), ServeError> {
        let mut subscribed = Some(first);
        while let Some(mut current) = subscribed {
            match self.serve(&mut current).await {
                Pause::Stopped => return self.drain(Some(current)).await,
                Pause::Lost => {
                    current.channel.close().await;
                    subscribed = self.resubscribe().await;
                }
            }
        }
        self.drain(None).await
    }

    async fn serve(&mut self, subscribed: &mut Subscribed) -> Pause {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Pause::Stopped,
                () = subscribed.broken.notified() => return Pause::Lost,
                Some(ended) = self.calls.join_next() => log_if_panicked(ended),
                arrival = subscribed.deliveries.next() => match arrival {
                    Some(Arrival { method, delivery: Some(delivery) }) => {
                        self.start(subscribed, method, delivery);
                    }
                    Some(Arrival { method, delivery: None }) => {
                        match self.subscribe_one(&subscribed.channel, method).await {
                            Ok(arrivals) => {
                                warn!(method = %self.methods[method].name, "the broker ended the subscription; subscribed again");
                                subscribed.deliveries.push(arrivals);
                            }
                            Err(error) => {
                                debug!(%error, "the serving channel is gone");
                                return Pause::Lost;
                            }
                        }
                    }
                    None => return Pause::Lost,
                },
            }
        }
    }

    fn start(&mut self, subscribed: &Subscribed, index: usize, mut delivery: Delivery) {
        let method = Arc::clone(&self.methods[index]);
        let channel = Arc::clone(&subscribed.channel);
        let broken = Arc::clone(&subscribed.broken);
        let message_size = self.message_size;
        self.calls.spawn(async move {
            let tag = delivery.tag;
            let reply_to = delivery.message.reply_to.take();
            let reply = dispatch::answer(&method, delivery, message_size).await;
            // The reply first: a call that is acked and not answered would be lost in silence.
            let settled = async {
                if let Some(reply_to) = reply_to {
                    channel.reply(&reply_to, reply).await?;
                }
                channel.ack(tag).await
            };
            if let Err(error) = settled.await {
                debug!(method = %method.name, reason = error.reason, "an answer could not be sent");
                broken.notify_one();
            }
        });
    }

    /// Waits for the connection to come back and subscribes again; `None` if told to stop first.
    async fn resubscribe(&self) -> Option<Subscribed> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            subscribed = self.resubscribe_until_done() => subscribed,
        }
    }

    async fn resubscribe_until_done(&self) -> Option<Subscribed> {
        let mut state = self.state.clone();
        let mut backoff = Backoff::default();
        loop {
            sleep(backoff.next_wait()).await;
            let up = state
                .wait_for(|state| !matches!(state, State::Down(_)))
                .await
                .map(|state| state.clone());
            let Ok(State::Up(session)) = up else {
                return None;
            };
            match self.subscribe(&session.link).await {
                Ok(subscribed) => {
                    info!(methods = self.methods.len(), "serving again");
                    return Some(subscribed);
                }
                Err(error) => warn!(%error, "cannot serve, trying again"),
            }
        }
    }

    /// Stops taking calls, hands back what was not started, and finishes what was.
    async fn drain(&mut self, subscribed: Option<Subscribed>) -> Result<(), ServeError> {
        if let Some(subscribed) = &subscribed {
            subscribed.channel.cancel().await;
        }
        let channel = match subscribed {
            Some(subscribed) => {
                let channel = Arc::clone(&subscribed.channel);
                // Streams end soon after a cancel; those of a broker that is stuck may not.
                if timeout(HAND_BACK_LIMIT, self.hand_back(subscribed))
                    .await
                    .is_err()
                {
                    warn!(
                        "the broker did not end the subscriptions; it will redeliver what was not started"
                    );
                }
                Some(channel)
            }
            None => None,
        };
        let end = Instant::now() + self.grace;
        let mut result = Ok(());
        loop {
            match timeout_at(end, self.calls.join_next()).await {
                Ok(Some(ended)) => log_if_panicked(ended),
                Ok(None) => break,
                Err(_) => {
                    result = Err(ServeError::GraceExceeded {
                        unfinished: self.calls.len(),
                        grace: self.grace,
                    });
                    self.calls.shutdown().await;
                    break;
                }
            }
        }
        if let Some(channel) = channel {
            channel.close().await;
        }
        result
    }

    async fn hand_back(&self, mut subscribed: Subscribed) {
        while let Some(arrival) = subscribed.deliveries.next().await {
            let Some(delivery) = arrival.delivery else {
                continue;
            };
            let queue = &self.methods[arrival.method].name;
            if let Err(error) = subscribed.channel.hand_back(queue, delivery).await {
                debug!(queue = %queue, reason = error.reason, "a call could not be handed back");
                return;
            }
        }
    }
}

/// Handlers' panics are caught where they run; this is for a defect of the library.
fn log_if_panicked(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "serving a call panicked");
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// One connection for serving; each server opens a channel of its own on it.
#[derive(Debug)]
pub(crate) struct ServeSession {
    pub(crate) link: Arc<dyn Link>,
}

#[async_trait]
impl Session for ServeSession {
    async fn open(link: Arc<dyn Link>) -> Result<Self, ConnectError> {
        Ok(Self { link })
    }

    fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    async fn lost(&self) -> Loss {
        self.link.lost().await
    }

    /// Servers see it by the end of their streams.
    fn end(&self, _: Loss) {}
}

/// How long a shutdown waits for the broker to end the subscriptions and take back what was not started.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(5);
