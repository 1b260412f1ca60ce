//! The task behind a server: runs what arrives, comes back after losses, and leaves in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::backoff::Backoff;
use crate::clocks::Clocks;
use crate::dispatch::{self, Arrived};
use crate::message::{ATTEMPTS, Delivery, FROM, METHOD, Message};
use crate::redelivery::{self, Verdict};
use crate::serve_error::ServeError;
use crate::serve_session::ServeSession;
use crate::service::Method;
use crate::subscription::{Arrival, Subscription};
use crate::supervisor::State;
use crate::transport::PublishError;

/// What a server is and how it stops.
#[derive(Debug)]
pub(crate) struct Worker {
    methods: Vec<Arc<Method>>,
    /// The largest reply, in bytes.
    message_size: usize,
    /// How long running calls may go on after a shutdown began.
    grace: Duration,
    state: watch::Receiver<State<ServeSession>>,
    stop: CancellationToken,
    /// Tells the handlers that the grace period is over.
    abandon: CancellationToken,
    clocks: Clocks,
    /// The handlers that run, over all connections; at most the sum of the methods' concurrency for each
    /// connection that was lost while they ran, and one.
    calls: JoinSet<()>,
}

enum Pause {
    Stopped,
    Lost,
}

impl Worker {
    pub(crate) fn new(
        methods: Vec<Method>,
        message_size: usize,
        grace: Duration,
        state: watch::Receiver<State<ServeSession>>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            methods: methods.into_iter().map(Arc::new).collect(),
            message_size,
            grace,
            state,
            stop,
            abandon: CancellationToken::new(),
            clocks: Clocks::default(),
            calls: JoinSet::new(),
        }
    }

    pub(crate) fn methods(&self) -> &[Arc<Method>] {
        &self.methods
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
                    current.channel.close().await;
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
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Pause::Stopped,
                Some(ended) = self.calls.join_next() => log_if_panicked(ended),
                arrival = subscription.next() => match arrival {
                    Arrival::Call { method, delivery } => self.start(subscription, method, *delivery),
                    Arrival::Broken { reason } => {
                        warn!(reason, "an answer could not be sent; opening another channel");
                        return Pause::Lost;
                    }
                    Arrival::Ended { method } => {
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

    fn start(&mut self, subscription: &Subscription, method: usize, delivery: Delivery) {
        let method = Arc::clone(&self.methods[method]);
        let verdict = redelivery::judge(&method, &delivery);
        // At the arrival: what a call waits for its turn on this machine counts too.
        let deadline = self.clocks.deadline(&delivery);
        let Delivery {
            mut message,
            redelivered,
            tag,
        } = delivery;
        let channel = Arc::clone(&subscription.channel);
        let broken = subscription.broken.clone();
        let mut dead_letter = None;
        let refused = match verdict {
            Verdict::Run => None,
            Verdict::Refuse(fault) => Some(fault),
            Verdict::Bury(fault) => {
                error!(method = %method.name, fault.message, "a call is given up");
                dead_letter = method.options.dead_letters.clone().map(|queue| {
                    let letter = dead_letter_of(&method, &message);
                    (queue, letter)
                });
                Some(fault)
            }
            Verdict::Replace(copy) => {
                self.calls.spawn(async move {
                    let replaced = channel.replace(&method.name, *copy, tag).await;
                    tell_if_broken(&method, replaced, &broken);
                });
                return;
            }
        };
        let reply_to = message.reply_to.take();
        let arrived = Arrived {
            redelivered: redelivered || message.headers.contains_key(ATTEMPTS),
            message,
            refused,
            awaited: reply_to.is_some(),
            deadline,
        };
        let abandon = self.abandon.clone();
        let message_size = self.message_size;
        self.calls.spawn(async move {
            let answer = dispatch::answer(&method, arrived, message_size, &abandon).await;
            // Without an answer it stays unsettled, and goes to another server with the channel's end.
            let Some(reply) = answer else {
                return;
            };
            // The reply first: a call that is acked and not answered would be lost in silence.
            let settled = async {
                if let Some((queue, letter)) = dead_letter {
                    channel.reply(&queue, letter).await?;
                }
                if let Some(reply_to) = reply_to {
                    channel.reply(&reply_to, reply).await?;
                }
                channel.ack(tag).await
            };
            tell_if_broken(&method, settled.await, &broken);
        });
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
                .wait_for(|state| !matches!(state, State::Down(_)))
                .await
                .map(|state| state.clone());
            let Ok(State::Up(session)) = up else {
                return None;
            };
            match Subscription::open(&session.link, &self.methods).await {
                Ok(subscription) => {
                    info!(methods = self.methods.len(), "serving again");
                    return Some(subscription);
                }
                Err(error) => warn!(%error, "cannot serve, trying again"),
            }
        }
    }

    /// Stops taking calls, hands back what was not started, and finishes what was.
    async fn drain(&mut self, subscription: Option<Subscription>) -> Result<(), ServeError> {
        let channel = match subscription {
            Some(mut subscription) => {
                let channel = Arc::clone(&subscription.channel);
                channel.cancel().await;
                // Streams end soon after a cancel; those of a broker that is stuck may not.
                let handed_back = timeout(HAND_BACK_LIMIT, subscription.hand_back(&self.methods));
                match handed_back.await {
                    Ok(kept) => {
                        for (method, delivery) in kept {
                            self.start(&subscription, method, delivery);
                        }
                    }
                    Err(_) => warn!(
                        "the broker did not end the subscriptions; it will redeliver what was not started"
                    ),
                }
                Some(channel)
            }
            None => None,
        };
        let result = match timeout_at(Instant::now() + self.grace, self.finish_calls()).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let unfinished = self.calls.len();
                self.abandon.cancel();
                // Time to say so; a handler that blocks its thread is beyond reach, and goes with the task.
                if timeout(ABANDON_LIMIT, self.finish_calls()).await.is_err() {
                    self.calls.abort_all();
                }
                Err(ServeError::GraceExceeded {
                    unfinished,
                    grace: self.grace,
                })
            }
        };
        if let Some(channel) = channel {
            channel.close().await;
        }
        result
    }

    async fn finish_calls(&mut self) {
        while let Some(ended) = self.calls.join_next().await {
            log_if_panicked(ended);
        }
    }
}

/// Gives the channel up on which something could not be sent.
fn tell_if_broken(method: &Method, sent: Result<(), PublishError>, broken: &mpsc::Sender<String>) {
    if let Err(error) = sent {
        let reason = format!("`{}`: {}", method.name, error.reason);
        // Full means that the reason is known already.
        drop(broken.try_send(reason));
    }
}

/// The copy of a call that is kept for somebody to look into.
fn dead_letter_of(method: &Method, call: &Message) -> Message {
    let mut letter = Message {
        reply_to: None,
        expiration: None,
        user_id: None,
        persistent: true,
        ..call.clone()
    };
    letter.headers.remove(FROM);
    letter
        .headers
        .insert(METHOD.into(), method.name.clone().into());
    letter
}

/// Handlers' panics are caught where they run; this is for a defect of the library.
fn log_if_panicked(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "serving a call panicked");
    }
}

/// A subscription that stood this long had no trouble of its own; its loss is met without delay.
const STABLE: Duration = Duration::from_secs(1);

/// How long a shutdown waits for the broker to end the subscriptions and take back what was not started.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(5);

/// How long calls that were abandoned at the end of the grace period have to tell their callers.
const ABANDON_LIMIT: Duration = Duration::from_secs(1);
