//! A peer driven by hand, for messages that the library itself would never send.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use lapin::message::{BasicReturnMessage, Delivery};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::Value;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// The exchange through which calls bounce to their callers.
const DEAD_LETTERS: &str = "rpc.dlx";

/// One connection and one channel in confirm mode.
#[derive(Debug)]
pub struct RawPeer {
    connection: Connection,
    channel: Channel,
}

impl RawPeer {
    /// Connects.
    ///
    /// # Errors
    /// If the broker refuses, or does not answer in 10 s.
    pub async fn connect(url: &str) -> Result<Self> {
        within("connect", async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok(Self {
                connection,
                channel,
            })
        })
        .await
    }

    /// The channel, for whatever has no method here.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Declares a queue.
    ///
    /// # Errors
    /// What the broker says; the channel is closed then.
    pub async fn declare(
        &self,
        queue: &str,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<String> {
        let declared = within(
            "declare",
            self.channel.queue_declare(queue.into(), options, arguments),
        )
        .await?;
        Ok(declared.name().to_string())
    }

    /// Declares the queue of a method as servers do: durable, and dead letters go to `rpc.dlx`.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn method_queue(&self, method: &str) -> Result<()> {
        self.declare_dead_letters().await?;
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let arguments = table(&[("x-dead-letter-exchange", long(DEAD_LETTERS))]);
        self.declare(method, options, arguments).await?;
        Ok(())
    }

    /// Declares a reply queue as `aio-pika` does, except that it is exclusive, and returns its name.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn reply_queue(&self) -> Result<String> {
        self.declare_dead_letters().await?;
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let queue = self.declare("", options, FieldTable::default()).await?;
        let arguments = table(&[("From", long(&queue)), ("x-match", long("any"))]);
        let options = QueueBindOptions::default();
        let name = queue.as_str().into();
        within(
            "bind",
            self.channel
                .queue_bind(name, DEAD_LETTERS.into(), "".into(), options, arguments),
        )
        .await?;
        Ok(queue)
    }

    async fn declare_dead_letters(&self) -> Result<()> {
        let options = ExchangeDeclareOptions {
            auto_delete: true,
            ..ExchangeDeclareOptions::default()
        };
        let name = DEAD_LETTERS.into();
        let declared = self.channel.exchange_declare(
            name,
            ExchangeKind::Headers,
            options,
            FieldTable::default(),
        );
        within("declare rpc.dlx", declared).await
    }

    /// Publishes to a queue by the default exchange. When it returns, the broker has the message in the queue.
    ///
    /// # Errors
    /// If there is no such queue.
    pub async fn publish(
        &self,
        queue: &str,
        properties: BasicProperties,
        body: impl AsRef<[u8]>,
    ) -> Result<()> {
        match self.try_publish(queue, properties, body).await? {
            None => Ok(()),
            Some(returned) => bail!("{queue}: {} {}", returned.reply_code, returned.reply_text),
        }
    }

    /// The same, but a message for which there is no queue is handed back.
    ///
    /// # Errors
    /// If the broker does not confirm.
    pub async fn try_publish(
        &self,
        queue: &str,
        properties: BasicProperties,
        body: impl AsRef<[u8]>,
    ) -> Result<Option<BasicReturnMessage>> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let confirmation = within("publish", async {
            self.channel
                .basic_publish("".into(), queue.into(), options, body.as_ref(), properties)
                .await?
                .await
        })
        .await?;
        if !confirmation.is_ack() {
            bail!("{queue}: the broker did not take the message: {confirmation:?}");
        }
        Ok(confirmation.take_message())
    }

    /// Consumes a queue; every message must be acked or rejected.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn consume(&self, queue: &str) -> Result<RawConsumer> {
        self.consume_with(queue, BasicConsumeOptions::default())
            .await
    }

    /// Consumes a queue whose messages need no ack, such as a reply queue.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn consume_no_ack(&self, queue: &str) -> Result<RawConsumer> {
        self.consume_with(
            queue,
            BasicConsumeOptions {
                no_ack: true,
                ..BasicConsumeOptions::default()
            },
        )
        .await
    }

    async fn consume_with(&self, queue: &str, options: BasicConsumeOptions) -> Result<RawConsumer> {
        let consuming =
            self.channel
                .basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let consumer = within("consume", consuming).await?;
        Ok(RawConsumer {
            consumer,
            queue: queue.to_owned(),
        })
    }

    /// How many messages are ready in a queue (none of those that a consumer holds), and how many consumers it has.
    ///
    /// # Errors
    /// If there is no such queue; the channel is closed then.
    pub async fn counts(&self, queue: &str) -> Result<(u32, u32)> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declaring = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        let declared = within("count", declaring).await?;
        Ok((declared.message_count(), declared.consumer_count()))
    }

    /// Removes the ready messages of a queue.
    ///
    /// # Errors
    /// If there is no such queue.
    pub async fn purge(&self, queue: &str) -> Result<u32> {
        within(
            "purge",
            self.channel
                .queue_purge(queue.into(), QueuePurgeOptions::default()),
        )
        .await
    }

    /// Deletes a queue with all that is in it.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn delete(&self, queue: &str) -> Result<u32> {
        within(
            "delete",
            self.channel
                .queue_delete(queue.into(), QueueDeleteOptions::default()),
        )
        .await
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// If it is closed already.
    pub async fn close(self) -> Result<()> {
        within("close", self.connection.close(200, "done".into())).await
    }
}

/// The messages of one queue.
#[derive(Debug)]
pub struct RawConsumer {
    consumer: Consumer,
    queue: String,
}

impl RawConsumer {
    /// The next message.
    ///
    /// # Errors
    /// If none comes within 10 s, or the consumer was cancelled.
    pub async fn next(&mut self) -> Result<RawMessage> {
        match timeout(LIMIT, self.consumer.next()).await {
            Ok(Some(delivery)) => Ok(RawMessage(delivery?)),
            Ok(None) => bail!("the consumer of {} was cancelled", self.queue),
            Err(_) => bail!("no message came to {} within {LIMIT:?}", self.queue),
        }
    }

    /// Makes sure that no message comes for this long.
    ///
    /// # Errors
    /// If one comes, with what it was.
    pub async fn nothing_for(&mut self, time: Duration) -> Result<()> {
        match timeout(time, self.consumer.next()).await {
            Err(_) => Ok(()),
            Ok(Some(delivery)) => bail!("a message came to {}: {:?}", self.queue, delivery?),
            Ok(None) => bail!("the consumer of {} was cancelled", self.queue),
        }
    }
}

/// A message as it came.
#[derive(Debug)]
pub struct RawMessage(pub Delivery);

impl RawMessage {
    /// The property `type`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.0.properties.kind().as_ref().map(|kind| kind.as_str())
    }

    /// The property `correlation_id`.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.0
            .properties
            .correlation_id()
            .as_ref()
            .map(|id| id.as_str())
    }

    /// The property `reply_to`.
    #[must_use]
    pub fn reply_to(&self) -> Option<&str> {
        self.0
            .properties
            .reply_to()
            .as_ref()
            .map(|queue| queue.as_str())
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.0.properties.headers().as_ref()?.inner().get(name)
    }

    /// The body, which must be JSON.
    ///
    /// # Errors
    /// If it is not.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.0.data)
            .with_context(|| format!("the body is {:?}", String::from_utf8_lossy(&self.0.data)))
    }

    /// Acks it.
    ///
    /// # Errors
    /// If its channel is closed.
    pub async fn ack(&self) -> Result<()> {
        within("ack", self.0.ack(BasicAckOptions::default())).await?;
        Ok(())
    }

    /// Rejects it: back to the queue, or on to the dead letters.
    ///
    /// # Errors
    /// If its channel is closed.
    pub async fn reject(&self, requeue: bool) -> Result<()> {
        within("reject", self.0.reject(BasicRejectOptions { requeue })).await?;
        Ok(())
    }
}

/// The properties of a call as `aio-pika` sends it.
#[must_use]
pub fn call_properties(reply_to: &str, correlation_id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_type("call".into())
        .with_reply_to(reply_to.into())
        .with_correlation_id(correlation_id.into())
        .with_headers(table(&[("From", long(reply_to))]))
        .with_content_type("application/json".into())
        .with_delivery_mode(1)
        .with_priority(5)
}

/// The properties of a reply of the type `result` or `error`.
#[must_use]
pub fn reply_properties(kind: &str, correlation_id: &str) -> BasicProperties {
    BasicProperties::default()
        .with_type(kind.into())
        .with_correlation_id(correlation_id.into())
        .with_headers(FieldTable::default())
        .with_content_type("application/json".into())
        .with_delivery_mode(1)
}

/// A table of headers or arguments.
#[must_use]
pub fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

/// A header's value as `aio-pika` encodes a string.
#[must_use]
pub fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

async fn within<T>(what: &str, action: impl Future<Output = lapin::Result<T>>) -> Result<T> {
    match timeout(LIMIT, action).await {
        Ok(outcome) => outcome.with_context(|| format!("the broker refused: {what}")),
        Err(_) => bail!("the broker did not answer within {LIMIT:?}: {what}"),
    }
}
