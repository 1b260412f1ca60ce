//! A peer driven by hand, for messages that the library itself would never send.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use lapin::message::BasicReturnMessage;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::time::timeout;

use crate::raw_message::{RawConsumer, long, table};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

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

    /// Declares a reply queue as `aio-pika` does, except that it is exclusive, and returns its
    /// name.
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

    /// Publishes to a queue by the default exchange. When it returns, the broker has the message in
    /// the queue.
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
        Ok(RawConsumer::new(consumer, queue))
    }

    /// How many messages are ready in a queue (none of those that a consumer holds), and how many
    /// consumers it has.
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

pub(crate) async fn within<T>(
    what: &str,
    action: impl Future<Output = lapin::Result<T>>,
) -> Result<T> {
    match timeout(LIMIT, action).await {
        Ok(outcome) => outcome.with_context(|| format!("the broker refused: {what}")),
        Err(_) => bail!("the broker did not answer within {LIMIT:?}: {what}"),
    }
}
