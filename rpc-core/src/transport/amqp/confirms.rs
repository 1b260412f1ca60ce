//! The channel on which the broker confirms every call.

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
use tokio_util::task::AbortOnDropHandle;

use super::calls::publish_error;
use super::confirm_correlator::{ConfirmCorrelator, Confirmed};
use super::failure::reason;
use super::limits::{BROKER_LIMIT, short};
use super::permission::{PUBLISH, refused};
use super::properties;
use crate::transport::{ConfirmChannel, PublishError, Receipt};
use crate::wire::message::Message;

/// Opens its channel for the first call, and another one if that breaks.
pub(super) struct AmqpConfirms {
    connection: Arc<Connection>,
    publisher: Mutex<Arc<OnceCell<Arc<Publisher>>>>,
}

/// One channel. It is closed when this is replaced and no call waits on it any more.
struct Publisher {
    opened: Instant,
    calls: mpsc::Sender<Unconfirmed>,
    _task: AbortOnDropHandle<()>,
}

/// A call that waits to be published.
struct Unconfirmed {
    queue: String,
    call: Message,
    tx: ReceiptSender,
}

type ReceiptSender = oneshot::Sender<Result<Receipt, PublishError>>;

impl AmqpConfirms {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            publisher: Mutex::default(),
        }
    }

    /// The current publisher. While there is none, only one of the waiting calls opens a channel,
    /// because there may be many calls and a connection has few channels.
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

    /// Makes further calls open another channel, after this one had a call refused.
    ///
    /// If a channel of RabbitMQ 3.10 first publishes to a quorum queue when the leader has just
    /// been lost, it refuses all calls to that queue until the leader's node is back. A full queue
    /// refuses calls too, and must not cost a channel for each of them, so a channel must be older
    /// than [`MIN_AGE`] to be replaced.
    fn retire(&self, refusing: &Arc<Publisher>) {
        let mut publisher = self.current();
        let is_current = (publisher.get()).is_some_and(|open| Arc::ptr_eq(open, refusing));
        if is_current && refusing.opened.elapsed() > MIN_AGE {
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
                // The broker closed the channel because of another call, and the connection is
                // still up.
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
                let (calls, waiting) = mpsc::channel(MAX_WAITING);
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
        let (tx, rx) = oneshot::channel();
        let unconfirmed = Unconfirmed {
            queue: queue.to_owned(),
            call,
            tx,
        };
        let closed = |sent| PublishError {
            sent,
            reason: "the channel with confirms is closed".into(),
        };
        self.calls
            .send(unconfirmed)
            .await
            .map_err(|_| closed(false))?;
        rx.await.unwrap_or_else(|_| Err(closed(true)))
    }
}

/// Publishes the waiting calls, with many in flight at a time, and sends each caller its receipt.
///
/// A single task does all of it, for two reasons: lapin miscounts delivery tags if publishes race,
/// and only all confirmations together show which calls were returned (see [`ConfirmCorrelator`]).
async fn publish_all(channel: Channel, mut waiting: mpsc::Receiver<Unconfirmed>) {
    let mut confirming = FuturesUnordered::new();
    let mut correlator = ConfirmCorrelator::new();
    loop {
        tokio::select! {
            biased;
            Some(first) = confirming.next() => {
                // Takes all confirmations that have arrived. None may be left out that came before
                // one of these.
                let mut ended = vec![first];
                while let Some(Some(next)) = confirming.next().now_or_never() {
                    ended.push(next);
                }
                let confirmed = ended.into_iter().filter_map(confirmed).collect();
                for (tx, receipt) in correlator.settle(confirmed) {
                    // Fails only if the caller has gone.
                    let _ = tx.send(Ok(receipt));
                }
            }
            Some(Unconfirmed { queue, call, tx }) = waiting.recv(), if confirming.len() < MAX_CONFIRMING => {
                // The caller may have gone while its call waited.
                if tx.is_closed() {
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
                    Ok(confirm) => confirming.push(async move { (id, tx, confirm.await) }),
                    Err(error) => {
                        // Before the caller gets the error, because it may then check whether this
                        // channel is closed.
                        close_with(&channel, &mut waiting);
                        let _ = tx.send(Err(publish_error(&error)));
                    }
                }
            }
            else => return,
        }
        close_with(&channel, &mut waiting);
    }
}

/// Takes no more calls if the channel is closed. Calls that already wait get an error that says
/// that they were not sent.
fn close_with(channel: &Channel, waiting: &mut mpsc::Receiver<Unconfirmed>) {
    if !channel.status().connected() {
        waiting.close();
    }
}

type Completed = (String, ReceiptSender, lapin::Result<Confirmation>);

/// The broker's confirmation of a call. If it will never come, sends the caller an error and
/// returns `None`.
fn confirmed((id, tx, confirmation): Completed) -> Option<Confirmed<ReceiptSender>> {
    let (receipt, returned) = match confirmation {
        Ok(Confirmation::Ack(returned)) => (Receipt::Taken, returned),
        Ok(Confirmation::Nack(returned)) => (Receipt::Refused, returned),
        Ok(Confirmation::NotRequested) => {
            let _ = tx.send(Err(PublishError {
                sent: true,
                reason: "the broker does not confirm".into(),
            }));
            return None;
        }
        Err(error) => {
            let _ = tx.send(Err(PublishError {
                sent: true,
                reason: refused(&error, PUBLISH).into(),
            }));
            return None;
        }
    };
    let returned = returned.map(|message| {
        let id = message.delivery.properties.correlation_id().as_ref();
        // The same default as for a published call.
        id.map_or_else(String::new, |id| id.as_str().to_owned())
    });
    Some(Confirmed {
        id,
        caller: tx,
        receipt,
        returned,
    })
}

/// How many calls may wait to be published. Further calls wait in the tasks of their callers.
const MAX_WAITING: usize = 256;

/// How many calls may wait for their confirmation at a time.
const MAX_CONFIRMING: usize = 1024;

/// A channel on which a call was refused is replaced if it is older than this.
const MIN_AGE: Duration = Duration::from_millis(100);
