//! The channel of one-way calls, on which the broker confirms each.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::calls::publish_error;
use super::permission::{PUBLISH, explain};
use super::receipts::{Confirmed, Receipts};
use super::{BROKER_LIMIT, properties, short, words};
use crate::connect_error::ConnectError;
use crate::message::Message;
use crate::supervisor::OwnedTask;
use crate::transport::{OneWayChannel, PublishError, Receipt};

pub(super) async fn open(
    connection: &Connection,
    host: &str,
) -> Result<Arc<dyn OneWayChannel>, ConnectError> {
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
            return Ok(Arc::new(AmqpOneWay {
                calls,
                _task: OwnedTask(task),
            }));
        }
        Ok(Err(error)) => words(&error),
        Err(_) => format!("no answer within {BROKER_LIMIT:?}"),
    };
    Err(ConnectError::Setup {
        host: host.to_owned(),
        what: "a channel for one-way calls".into(),
        reason,
    })
}

struct AmqpOneWay {
    calls: mpsc::Sender<OneWay>,
    _task: OwnedTask,
}

/// A call that waits to be published.
struct OneWay {
    queue: String,
    call: Message,
    tell: Tell,
}

type Tell = oneshot::Sender<Result<Receipt, PublishError>>;

#[async_trait]
impl OneWayChannel for AmqpOneWay {
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError> {
        let (tell, told) = oneshot::channel();
        let one_way = OneWay {
            queue: queue.to_owned(),
            call,
            tell,
        };
        let gone = |sent| PublishError {
            sent,
            reason: "the channel of one-way calls is closed".into(),
        };
        self.calls.send(one_way).await.map_err(|_| gone(false))?;
        told.await.unwrap_or_else(|_| Err(gone(true)))
    }

    fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }
}

impl fmt::Debug for AmqpOneWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpOneWay").finish_non_exhaustive()
    }
}

/// Publishes what comes, many at a time, and tells each caller what became of its call.
///
/// One task does it all: lapin counts delivery tags wrongly for publishes that race, and whoever wants to
/// know which calls were returned has to look at all confirmations; see [`Receipts`].
async fn publish_all(channel: Channel, mut waiting: mpsc::Receiver<OneWay>) {
    let mut confirming = FuturesUnordered::new();
    let mut receipts = Receipts::new();
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
            Some(OneWay { queue, call, tell }) = waiting.recv(), if confirming.len() < CONFIRMING => {
                // Its caller may have left while it waited.
                if tell.is_closed() {
                    continue;
                }
                let id = call.correlation_id.clone().unwrap_or_default();
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
fn close_with(channel: &Channel, waiting: &mut mpsc::Receiver<OneWay>) {
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
                reason: explain(words(&error), PUBLISH),
            }));
            return None;
        }
    };
    let returned = returned.and_then(|message| {
        let id = message.delivery.properties.correlation_id().as_ref()?;
        Some(id.as_str().to_owned())
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
