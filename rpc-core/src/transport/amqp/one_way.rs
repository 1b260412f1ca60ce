//! The channel of one-way calls, on which the broker confirms each.

use std::collections::HashSet;
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
/// One task does it all: lapin counts delivery tags wrongly for publishes that race, and hands a message
/// that the broker returned to whichever confirmation comes next on the channel. That one comes no later
/// than the confirmation of the message itself, so whoever looks at all that have come knows.
async fn publish_all(channel: Channel, mut waiting: mpsc::Receiver<OneWay>) {
    let mut confirming = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(first) = confirming.next() => {
                let mut confirmed = vec![first];
                while let Some(Some(next)) = confirming.next().now_or_never() {
                    confirmed.push(next);
                }
                tell(confirmed);
            }
            one_way = waiting.recv(), if confirming.len() < CONFIRMING => {
                let Some(OneWay { queue, call, tell }) = one_way else {
                    return;
                };
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
                        let _ = tell.send(Err(publish_error(&error)));
                    }
                }
            }
        }
        if !channel.status().connected() && confirming.is_empty() {
            return;
        }
    }
}

type Confirmed = (String, Tell, lapin::Result<Confirmation>);

fn tell(mut confirmed: Vec<Confirmed>) {
    let mut returned = HashSet::new();
    for (_, _, confirmation) in &mut confirmed {
        if let Ok(Confirmation::Ack(message) | Confirmation::Nack(message)) = confirmation
            && let Some(message) = message.take()
            && let Some(id) = message.delivery.properties.correlation_id()
        {
            returned.insert(id.as_str().to_owned());
        }
    }
    for (id, tell, confirmation) in confirmed {
        let receipt = match confirmation {
            _ if returned.contains(&id) => Ok(Receipt::Unroutable),
            Ok(Confirmation::Ack(_)) => Ok(Receipt::Taken),
            Ok(Confirmation::Nack(_)) => Ok(Receipt::Refused),
            Ok(Confirmation::NotRequested) => Err(PublishError {
                sent: true,
                reason: "the broker does not confirm".into(),
            }),
            Err(error) => Err(PublishError {
                sent: true,
                reason: explain(words(&error), PUBLISH),
            }),
        };
        // A caller that has left does not ask.
        let _ = tell.send(receipt);
    }
}

/// How many calls may wait to be published; those beyond wait with their callers.
const QUEUED: usize = 256;

/// How many may wait for their confirmation at a time.
const CONFIRMING: usize = 1024;
