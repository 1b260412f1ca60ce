//! The messages that a hand-driven peer receives, and the properties of those that it sends.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Consumer};
use serde_json::Value;
use tokio::time::timeout;

use crate::raw_peer::{LIMIT, within};

/// The messages of one queue.
#[derive(Debug)]
pub struct RawConsumer {
    consumer: Consumer,
    queue: String,
}

impl RawConsumer {
    pub(crate) fn new(consumer: Consumer, queue: &str) -> Self {
        Self {
            consumer,
            queue: queue.to_owned(),
        }
    }

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
