//! The serving channel: method queues, deliveries and how they are settled.

use std::fmt;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use tokio::time::timeout;
use tracing::debug;

use super::calls::publish_error;
use super::{BROKER_LIMIT, properties, short, words};
use crate::message::{DEAD_LETTER_EXCHANGE, Delivery, Message};
use crate::options::QueueOptions;
use crate::serve_error::ServeError;
use crate::transport::{Messages, PublishError, ServeChannel};

/// A channel for the methods of one server.
pub(super) struct AmqpServing {
    channel: Channel,
    host: String,
    /// The consumer tags, to cancel them.
    consumers: Mutex<Vec<ShortString>>,
}

impl AmqpServing {
    pub(super) fn new(channel: Channel, host: String) -> Self {
        Self {
            channel,
            host,
            consumers: Mutex::default(),
        }
    }

    async fn consume(
        &self,
        queue: &str,
        options: &QueueOptions,
        prefetch: u16,
    ) -> Result<lapin::Consumer, lapin::Error> {
        let declaration = QueueDeclareOptions {
            durable: options.durable,
            auto_delete: options.auto_delete,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = properties::table(&options.arguments);
        arguments.insert(
            "x-dead-letter-exchange".into(),
            AMQPValue::LongString(DEAD_LETTER_EXCHANGE.into()),
        );
        self.channel
            .queue_declare(short(queue), declaration, arguments)
            .await?;
        // Not global: it counts for the consumers that come after it, each by itself.
        self.channel
            .basic_qos(prefetch, BasicQosOptions::default())
            .await?;
        self.channel
            .basic_consume(
                short(queue),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
    }

    async fn publish(&self, queue: &str, message: &Message) -> Result<(), PublishError> {
        let publishing = self.channel.basic_publish(
            "".into(),
            short(queue),
            BasicPublishOptions::default(),
            &message.body,
            properties::to_amqp(message),
        );
        within_limit(publishing).await.map(drop)
    }
}

#[async_trait]
impl ServeChannel for AmqpServing {
    async fn subscribe(
        &self,
        queue: &str,
        options: &QueueOptions,
        prefetch: u16,
    ) -> Result<Messages<Delivery>, ServeError> {
        let refused = |reason: String| ServeError::Queue {
            queue: queue.to_owned(),
            host: self.host.clone(),
            reason,
        };
        let consumer = timeout(BROKER_LIMIT, self.consume(queue, options, prefetch))
            .await
            .map_err(|_| refused(format!("no answer within {BROKER_LIMIT:?}")))?
            .map_err(|error| refused(words(&error)))?;
        let mut consumers = self
            .consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        consumers.push(consumer.tag());
        drop(consumers);
        // Bounded by the prefetch.
        let deliveries = consumer
            .take_while(|delivery| ready(delivery.is_ok()))
            .filter_map(|delivery| ready(delivery.ok()))
            .map(|delivery| Delivery {
                message: properties::from_amqp(&delivery.properties, delivery.data),
                redelivered: delivery.redelivered,
                tag: delivery.delivery_tag,
            });
        Ok(Box::pin(deliveries))
    }

    async fn reply(&self, reply_to: &str, reply: Message) -> Result<(), PublishError> {
        self.publish(reply_to, &reply).await
    }

    async fn ack(&self, tag: u64) -> Result<(), PublishError> {
        within_limit(self.channel.basic_ack(tag, BasicAckOptions::default())).await
    }

    async fn hand_back(&self, queue: &str, delivery: Delivery) -> Result<(), PublishError> {
        let Delivery { message, tag, .. } = delivery;
        // A user id is the caller's, verified; the broker would close the channel if we sent it. It can
        // only be requeued as it is.
        if message.user_id.is_some() || delivery.redelivered {
            let options = BasicNackOptions {
                requeue: true,
                ..BasicNackOptions::default()
            };
            return within_limit(self.channel.basic_nack(tag, options)).await;
        }
        // Acks overtake publishes in lapin, so the publish must have been written first. If the
        // connection dies between the two, the broker redelivers the original, marked, and a server
        // refuses to run it.
        self.publish(queue, &message).await?;
        self.ack(tag).await
    }

    async fn cancel(&self) {
        let consumers = {
            let mut consumers = self
                .consumers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *consumers)
        };
        for tag in consumers {
            let cancelling = self
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            if let Err(error) = within_limit(cancelling).await {
                debug!(
                    host = self.host,
                    reason = error.reason,
                    "cancelling a subscription"
                );
                return;
            }
        }
    }

    async fn close(&self) {
        let closing = self.channel.close(200, "OK".into());
        if let Err(error) = within_limit(closing).await {
            debug!(
                host = self.host,
                reason = error.reason,
                "closing a serving channel"
            );
        }
    }
}

impl fmt::Debug for AmqpServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpServing")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

async fn within_limit<T>(
    operation: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, PublishError> {
    match timeout(BROKER_LIMIT, operation).await {
        Ok(result) => result.map_err(|error| publish_error(&error)),
        Err(_) => Err(PublishError {
            sent: true,
            reason: format!("the broker took nothing within {BROKER_LIMIT:?}"),
        }),
    }
}
