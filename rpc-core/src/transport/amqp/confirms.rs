//! The channel on which the broker confirms every call.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use rustc_hash::FxHashMap;
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::calls::publish_error;
use super::failure::reason;
use super::limits::{BROKER_LIMIT, frame_of};
use super::permission::{PUBLISH, refused};
use super::properties::publishable;
use super::taps::{Tap, Taps};
use crate::transport::{ConfirmChannel, PublishError, Receipt};
use crate::wire::message::Message;

/// Opens its channel for the first call, and another one if that breaks.
pub(super) struct AmqpConfirms {
    connection: Arc<Connection>,
    taps: Arc<Taps>,
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
    pub(super) fn new(connection: Arc<Connection>, taps: Arc<Taps>) -> Self {
        Self {
            connection,
            taps,
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
        let opening = || Publisher::open(&self.connection, &self.taps);
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
                        && error.unfit.is_none()
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
    async fn open(connection: &Connection, taps: &Arc<Taps>) -> Result<Arc<Self>, PublishError> {
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
                let returned = Arc::<ReturnedCalls>::default();
                let returns = Arc::clone(&returned);
                let tap = taps.publish(
                    channel.id(),
                    Arc::new(move |message| {
                        returns.add(published(&message.queue, &message.message));
                    }),
                );
                let task = tokio::spawn(publish_all(
                    channel,
                    waiting,
                    returned,
                    tap,
                    frame_of(connection),
                ));
                return Ok(Arc::new(Self {
                    opened: Instant::now(),
                    calls,
                    _task: AbortOnDropHandle::new(task),
                }));
            }
            Ok(Err(error)) => reason(&error),
            Err(_) => format!("no answer within {BROKER_LIMIT:?}").into(),
        };
        Err(PublishError::new(
            false,
            reason.at("cannot open a channel with confirms"),
        ))
    }

    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        let (tx, rx) = oneshot::channel();
        let unconfirmed = Unconfirmed {
            queue: queue.to_owned(),
            call,
            tx,
        };
        let closed = |sent| PublishError::new(sent, "the channel with confirms is closed");
        self.calls
            .send(unconfirmed)
            .await
            .map_err(|_| closed(false))?;
        rx.await.unwrap_or_else(|_| Err(closed(true)))
    }
}

/// Publishes the waiting calls, with many in flight at a time, and sends each caller its receipt.
///
/// A single task does all of it, because lapin miscounts delivery tags if publishes race.
async fn publish_all(
    channel: Channel,
    mut waiting: mpsc::Receiver<Unconfirmed>,
    returned: Arc<ReturnedCalls>,
    _returns: Tap,
    frame: usize,
) {
    let mut confirming = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some((call, tx, confirmation)) = confirming.next() => {
                // The broker returns a call before it confirms it.
                let receipt = match returned.take(&call) {
                    true => Ok(Receipt::Unroutable),
                    false => receipt(confirmation),
                };
                // Fails only if the caller has gone.
                let _ = ReceiptSender::send(tx, receipt);
            }
            Some(Unconfirmed { queue, call, tx }) = waiting.recv(), if confirming.len() < MAX_CONFIRMING => {
                // The caller may have gone while its call waited.
                if tx.is_closed() {
                    continue;
                }
                let options = BasicPublishOptions {
                    mandatory: true,
                    ..BasicPublishOptions::default()
                };
                let (address, properties) = match publishable(&queue, &call, frame) {
                    Ok(publishable) => publishable,
                    Err(unfit) => {
                        let _ = tx.send(Err(PublishError::unfit(unfit)));
                        continue;
                    }
                };
                let publishing =
                    channel.basic_publish("".into(), address, options, &call.body, properties);
                match publishing.await {
                    Ok(confirm) => {
                        let call = published(&queue, &call);
                        confirming.push(async move { (call, tx, confirm.await) });
                    }
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

/// The calls that the broker has returned and not confirmed yet. As a returned call is confirmed
/// at once, they are at most as many as wait for their confirmation.
///
/// Copies of one call in one queue may get each other's receipts.
#[derive(Default)]
struct ReturnedCalls(Mutex<FxHashMap<PublishedCall, usize>>);

/// The queue of a call and its correlation id, which is empty if it has none.
type PublishedCall = (String, String);

impl ReturnedCalls {
    fn add(&self, call: PublishedCall) {
        *self.lock().entry(call).or_default() += 1;
    }

    /// Returns whether the call was returned.
    fn take(&self, call: &PublishedCall) -> bool {
        let mut calls = self.lock();
        let Some(count) = calls.get_mut(call) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            calls.remove(call);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<PublishedCall, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn published(queue: &str, call: &Message) -> PublishedCall {
    let id = call.correlation_id.as_ref();
    (
        queue.to_owned(),
        id.map_or_else(String::new, ToString::to_string),
    )
}

/// Takes no more calls if the channel is closed. Calls that already wait get an error that says
/// that they were not sent.
fn close_with(channel: &Channel, waiting: &mut mpsc::Receiver<Unconfirmed>) {
    if !channel.status().connected() {
        waiting.close();
    }
}

/// What the broker's confirmation says of a call that it has not returned.
fn receipt(confirmation: lapin::Result<Confirmation>) -> Result<Receipt, PublishError> {
    let reason = match confirmation {
        Ok(Confirmation::Ack(_)) => return Ok(Receipt::Taken),
        Ok(Confirmation::Nack(_)) => return Ok(Receipt::Refused),
        Ok(Confirmation::NotRequested) => "the broker does not confirm".into(),
        Err(error) => refused(&error, PUBLISH),
    };
    Err(PublishError::new(true, reason))
}

/// How many calls may wait to be published. Further calls wait in the tasks of their callers.
const MAX_WAITING: usize = 256;

/// How many calls may wait for their confirmation at a time.
const MAX_CONFIRMING: usize = 1024;

/// A channel on which a call was refused is replaced if it is older than this.
const MIN_AGE: Duration = Duration::from_millis(100);
