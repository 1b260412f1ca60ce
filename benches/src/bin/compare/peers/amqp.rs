//! RPC over RabbitMQ written by hand with lapin: one queue for the calls, and one of the client's
//! own for the replies.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Served;
use crate::echo::{Echo, LIMIT, answer, decode_result, encode_call};

/// What the server does with the next delivery while it answers one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    /// The server waits until the reply and the ack are written, as in the tutorials.
    OneByOne,
    /// The server starts a task for it.
    Tasks,
}

pub(crate) async fn serve(url: &str, serving: Serving) -> Result<Served> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(QUEUE.into(), options, FieldTable::default())
        .await?;
    let mut calls = channel
        .basic_consume(
            QUEUE.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    tokio::spawn(async move {
        while let Some(call) = calls.next().await {
            let reply = reply(channel.clone(), call);
            match serving {
                Serving::OneByOne => report(reply.await),
                Serving::Tasks => drop(tokio::spawn(async { report(reply.await) })),
            }
        }
    });
    Ok(Served {
        url: url.to_owned(),
        close: Box::pin(async move { report(close(&connection).await) }),
    })
}

async fn reply(channel: Channel, call: lapin::Result<Delivery>) -> Result<()> {
    let call = call?;
    let to = call.properties.reply_to().clone();
    let id = call.properties.correlation_id().clone();
    channel
        .basic_publish(
            "".into(),
            to.context("a call without reply_to")?,
            BasicPublishOptions::default(),
            &answer(&call.data)?,
            BasicProperties::default()
                .with_correlation_id(id.context("a call without correlation_id")?),
        )
        .await?;
    call.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// The unanswered call then fails at its client, which counts it.
fn report(result: Result<()>) {
    if let Err(error) = result {
        eprintln!("lapin: {error:#}");
    }
}

async fn close(connection: &Connection) -> Result<()> {
    Ok(connection.close(200, "done".into()).await?)
}

/// A client.
#[derive(Clone)]
pub(crate) struct Caller(Arc<Inner>);

struct Inner {
    _connection: Connection,
    channel: Channel,
    replies: ShortString,
    next: AtomicU64,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Vec<u8>>>>>,
}

impl Caller {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let connection = connect(url).await?;
        let channel = connection.create_channel().await?;
        let replies: ShortString = format!("bench.reply.{}", uuid::Uuid::new_v4()).into();
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(replies.clone(), options, FieldTable::default())
            .await?;
        let options = BasicConsumeOptions {
            no_ack: true,
            exclusive: true,
            ..BasicConsumeOptions::default()
        };
        let mut consumer = channel
            .basic_consume(replies.clone(), "".into(), options, FieldTable::default())
            .await?;
        let waiting = Arc::<Mutex<HashMap<String, oneshot::Sender<Vec<u8>>>>>::default();
        let callers = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(Ok(reply)) = consumer.next().await {
                let id = reply.properties.correlation_id().as_ref();
                let caller = id.and_then(|id| {
                    let mut callers = callers.lock().unwrap_or_else(PoisonError::into_inner);
                    callers.remove(id.as_str())
                });
                if let Some(caller) = caller {
                    // Fails if the caller has timed out.
                    drop(caller.send(reply.data));
                }
            }
            // So that waiting callers fail at once.
            callers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        });
        Ok(Self(Arc::new(Inner {
            _connection: connection,
            channel,
            replies,
            next: AtomicU64::new(0),
            waiting,
        })))
    }
}

impl Echo for Caller {
    async fn echo(&self, text: &str) -> Result<String> {
        let inner = &*self.0;
        let id = inner.next.fetch_add(1, Ordering::Relaxed).to_string();
        let properties = BasicProperties::default()
            .with_correlation_id(id.as_str().into())
            .with_reply_to(inner.replies.clone());
        let (send, reply) = oneshot::channel();
        inner
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, send);
        inner
            .channel
            .basic_publish(
                "".into(),
                QUEUE.into(),
                BasicPublishOptions::default(),
                &encode_call(text)?,
                properties,
            )
            .await?;
        let reply = timeout(LIMIT, reply).await.context("no reply in time")?;
        decode_result(&reply.context("the connection is lost")?)
    }
}

async fn connect(url: &str) -> Result<Connection> {
    Ok(Connection::connect(url, ConnectionProperties::default()).await?)
}

const QUEUE: &str = "bench.lapin";
/// rpc-core's prefetch. RabbitMQ's documentation recommends 100 to 300.
const PREFETCH: u16 = 256;
