//! The channel on which the broker confirms each call.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::calls::publish_error;
use super::confirm_correlator::{ConfirmCorrelator, Confirmed};
use super::permission::{PUBLISH, refused};
use super::{BROKER_LIMIT, properties, reason, short};
use crate::transport::{ConfirmChannel, PublishError, Receipt};
use crate::wire::message::Message;
use tokio_util::task::AbortOnDropHandle;

/// Opens its channel for the first call, and another should that break.
pub(super) struct AmqpConfirms {
    connection: Arc<Connection>,
    publisher: Mutex<Arc<OnceCell<Arc<Publisher>>>>,
}

/// One channel, which goes with the last call that waits on it.
struct Publisher {
    opened: Instant,
    calls: mpsc::Sender<Unconfirmed>,
    _task: AbortOnDropHandle<()>,
}

/// A call that waits to be published.
struct Unconfirmed {
    queue: String,
    call: Message,
    tell: Tell,
}

type Tell = oneshot::Sender<Result<Receipt, PublishError>>;

impl AmqpConfirms {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            publisher: Mutex::default(),
        }
    }

    /// Of all who come while there is none, one opens it: a connection has few channels, and there may be
    /// many calls.
    async fn publisher(&self) -> Result<Arc<Publisher>, PublishError> {
        let publisher = {
            let mut publisher = self.current();
            if publisher.get().is_some_and(|open| open.calls.is_closed()) {
                *publisher = Arc::default();
            }
            Arc::clone(&publisher)
        };
        let opening = || Publisher::open(&self.connection);
        publisher.get_or_try_init(opening).await.cloned()
    }

    /// Has the calls to come open another channel, after a refusal.
    ///
    /// A channel of RabbitMQ 3.10 that first publishes to a quorum queue when its leader has just been lost
    /// refuses all calls to it until that node is back. A full queue refuses them too, and must not cost a
    /// channel each.
    fn retire(&self, refusing: &Arc<Publisher>) {
        let mut publisher = self.current();
        let is_current = (publisher.get()).is_some_and(|open| Arc::ptr_eq(open, refusing));
        if is_current && refusing.opened.elapsed() > TRUSTED {
            *publisher = Arc::default();
        }
    }

    fn current(&self) -> MutexGuard<'_, Arc<OnceCell<Arc<Publisher>>>> {
        self.publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ConfirmChannel for AmqpConfirms {
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        loop {
            let publisher = self.publisher().await?;
            let published = publisher.publish(queue, call.clone()).await;
            match published {
                // The broker closes a channel for what another call did, and the connection stands.
                Err(error)
                    if !error.sent
                        && publisher.calls.is_closed()
                        && self.connection.status().connected() => {}
                Ok(Receipt::Refused) => {
                    self.retire(&publisher);
                    return Ok(Receipt::Refused);
                }
                end => return end,
            }
        }
    }
}

impl fmt::Debug for AmqpConfirms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpConfirms").finish_non_exhaustive()
    }
}

impl Publisher {
    async fn open(connection: &Connection) -> Result<Arc<Self>, PublishError> {
        let opening = async {
            let channel = connection.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok::<_, lapin::Error>(channel)
        };
        let reason = match timeout(BROKER_LIMIT, opening).await {
            Ok(Ok(channel)) => {
                let (calls, waiting) = mpsc::channel(QUEUED);
                let task = tokio::spawn(publish_all(channel, waiting));
                return Ok(Arc::new(Self {
                    opened: Instant::now(),
                    calls,
                    _task: AbortOnDropHandle::new(task),
                }));
            }
            Ok(Err(error)) => reason(&error),
            Err(_) => format!("no answer within {BROKER_LIMIT:?}").into(),
        };
        Err(PublishError {
            sent: false,
            reason: reason.at("cannot open a channel with confirms").into(),
        })
    }

    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        let (tell, told) = oneshot::channel();
        let unconfirmed = Unconfirmed {
            queue: queue.to_owned(),
            call,
            tell,
        };
        let gone = |sent| PublishError {
            sent,
            reason: "the channel with confirms is closed".into(),
        };
        self.calls
            .send(unconfirmed)
            .await
            .map_err(|_| gone(false))?;
        told.await.unwrap_or_else(|_| Err(gone(true)))
    }
}

/// Publishes what comes, many at a time, and tells each caller what became of its call.
///
/// One task does it all: lapin counts delivery tags wrongly for publishes that race, and whoever wants to
/// know which calls were returned has to look at all confirmations; see [`ConfirmCorrelator`].
async fn publish_all(channel: Channel, mut waiting: mpsc::Receiver<Unconfirmed>) {
    let mut confirming = FuturesUnordered::new();
    let mut receipts = ConfirmCorrelator::new();
    loop {
        tokio::select! {
            biased;
            Some(first) = confirming.next() => {
                // All that are there: none may be missing that came before one of these.
                let mut ended = vec![first];
                while let Some(Some(next)) = confirming.next().now_or_never() {
                    ended.push(next);
                }
                let confirmed = ended.into_iter().filter_map(confirmed).collect();
                for (tell, receipt) in receipts.settle(confirmed) {
                    // A caller that has left does not ask.
                    let _ = tell.send(Ok(receipt));
                }
            }
            Some(Unconfirmed { queue, call, tell }) = waiting.recv(), if confirming.len() < CONFIRMING => {
                // Its caller may have left while it waited.
                if tell.is_closed() {
                    continue;
                }
                let id = call.correlation_id.as_ref().map_or_else(String::new, ToString::to_string);
                let options = BasicPublishOptions {
                    mandatory: true,
                    ..BasicPublishOptions::default()
                };
                let publishing = channel.basic_publish(
                    "".into(),
                    short(&queue),
                    options,
                    &call.body,
                    properties::to_amqp(&call),
                );
                match publishing.await {
                    Ok(confirm) => confirming.push(async move { (id, tell, confirm.await) }),
                    Err(error) => {
                        // Before the caller is told, who may then ask whether this channel is closed.
                        close_with(&channel, &mut waiting);
                        let _ = tell.send(Err(publish_error(&error)));
                    }
                }
            }
            else => return,
        }
        close_with(&channel, &mut waiting);
    }
}

/// Takes no more calls if the channel takes none; those that wait already are told that they were not sent.
fn close_with(channel: &Channel, waiting: &mut mpsc::Receiver<Unconfirmed>) {
    if !channel.status().connected() {
        waiting.close();
    }
}

type Ended = (String, Tell, lapin::Result<Confirmation>);

/// What the broker said of a call; nothing if that will not come, which its caller is told.
fn confirmed((id, tell, confirmation): Ended) -> Option<Confirmed<Tell>> {
    let (receipt, returned) = match confirmation {
        Ok(Confirmation::Ack(returned)) => (Receipt::Taken, returned),
        Ok(Confirmation::Nack(returned)) => (Receipt::Refused, returned),
        Ok(Confirmation::NotRequested) => {
            let _ = tell.send(Err(PublishError {
                sent: true,
                reason: "the broker does not confirm".into(),
            }));
            return None;
        }
        Err(error) => {
            let _ = tell.send(Err(PublishError {
                sent: true,
                reason: refused(&error, PUBLISH).into(),
            }));
            return None;
        }
    };
    let returned = returned.map(|message| {
        let id = message.delivery.properties.correlation_id().as_ref();
        // As it was entered.
        id.map_or_else(String::new, |id| id.as_str().to_owned())
    });
    Some(Confirmed {
        id,
        caller: tell,
        receipt,
        returned,
    })
}

/// How many calls may wait to be published; those beyond wait with their callers.
const QUEUED: usize = 256;

/// How many may wait for their confirmation at a time.
const CONFIRMING: usize = 1024;

/// A channel that refuses a call is left if it is older than this.
const TRUSTED: Duration = Duration::from_millis(100);
