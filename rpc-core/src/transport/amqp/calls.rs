//! The calling channel: its reply queue, its publishes, and the calls that the broker returns.

use std::fmt;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use futures_util::future::Either;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::inbox::inbox;
use super::limits::{BROKER_LIMIT, frame_of, short};
use super::loss::end_of;
use super::permission::{self, BIND, CONSUME, DECLARE, Needs, PUBLISH, refused};
use super::properties::publishable;
use super::taps::Taps;
use super::write_backpressure::WriteBackpressure;
use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::transport::{CallChannel, HandOver, OpenCalls, PublishError};
use crate::wire::headers::FROM;
use crate::wire::message::{DEAD_LETTER_EXCHANGE, Incoming, Message};
use crate::wire::random_uuid::random_uuid;

/// Opens a calling channel whose reply queue has a new name. An old name could still be locked by
/// a dead connection that the broker has not noticed yet.
pub(super) async fn open(
    connection: &Connection,
    taps: &Arc<Taps>,
    host: &str,
) -> Result<OpenCalls, ConnectError> {
    let frame = frame_of(connection);
    let mut attempts = 3;
    loop {
        attempts -= 1;
        match timeout(BROKER_LIMIT, set_up(connection, taps, frame)).await {
            Ok(Ok(calls)) => return Ok(calls),
            // The exchange is deleted with its last binding. That may happen between our
            // declaration of it and our binding to it, and then everything is declared again.
            Ok(Err((_, reason))) if attempts > 0 && reason.words.starts_with("NOT_FOUND") => {}
            Ok(Err((what, reason))) => {
                let error = ConnectError::setup(host, what, reason.words);
                return Err(error.caused_by(reason.source));
            }
            Err(_) => {
                let reason = format!("no answer within {BROKER_LIMIT:?}");
                return Err(ConnectError::setup(host, "a reply queue", reason));
            }
        }
    }
}

/// The error is what could not be set up, and the reason.
async fn set_up(
    connection: &Connection,
    taps: &Arc<Taps>,
    frame: usize,
) -> Result<OpenCalls, (String, Reason)> {
    let queue = format!("rpc.reply.{}", random_uuid());
    let refused =
        |what: String, needs: Needs| move |error: lapin::Error| (what, refused(&error, needs));
    let queue_named = format!("the reply queue `{queue}`");
    let exchange_named = format!("the exchange `{DEAD_LETTER_EXCHANGE}`");

    let channel = connection
        .create_channel()
        .await
        .map_err(refused(format!("the channel of {queue_named}"), DECLARE))?;
    let mut arguments = FieldTable::default();
    // The virtual host may have another default type, and quorum queues cannot be exclusive.
    arguments.insert(
        "x-queue-type".into(),
        AMQPValue::LongString("classic".into()),
    );
    channel
        .queue_declare(short(&queue), REPLY_QUEUE_OPTIONS, arguments)
        .await
        .map_err(refused(queue_named.clone(), DECLARE))?;
    channel
        .exchange_declare(
            DEAD_LETTER_EXCHANGE.into(),
            ExchangeKind::Headers,
            DEAD_LETTER_OPTIONS,
            FieldTable::default(),
        )
        .await
        .map_err(refused(exchange_named.clone(), DECLARE))?;
    let mut binding = FieldTable::default();
    binding.insert(FROM.into(), AMQPValue::LongString(queue.as_str().into()));
    binding.insert("x-match".into(), AMQPValue::LongString("any".into()));
    channel
        .queue_bind(
            short(&queue),
            DEAD_LETTER_EXCHANGE.into(),
            "".into(),
            QueueBindOptions::default(),
            binding,
        )
        .await
        .map_err(refused(
            format!("the binding of {queue_named} to {exchange_named}"),
            BIND,
        ))?;
    let (inbox, incoming) = inbox(&taps.unread);
    let (replies, returns) = (inbox.clone(), inbox.clone());
    let (tag, replies) = taps.consume(Arc::new(move |delivery| {
        replies.put(Incoming::Reply(delivery.message));
    }));
    let returns = taps.publish(
        channel.id(),
        Arc::new(move |returned| returns.put(Incoming::Returned(returned.message))),
    );
    let options = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel
        .basic_consume(short(&queue), tag, options, FieldTable::default())
        .await
        .map_err(refused(queue_named, CONSUME))?;
    let ended = tokio::spawn(async move {
        // If the broker closed the channel, it refused a publish. If it ended the subscription,
        // there is no reason.
        if let Some(error) = end_of(consumer).await {
            inbox.put(Incoming::Ended(permission::refused(&error, PUBLISH)));
        }
        // No message comes after this, and with the last inbox the stream ends.
        drop((inbox, replies, returns));
    });
    Ok(OpenCalls {
        incoming,
        channel: Arc::new(AmqpCalls {
            channel,
            queue: queue.into(),
            frame,
            pressure: WriteBackpressure::default(),
            _ended: AbortOnDropHandle::new(ended),
        }),
    })
}

struct AmqpCalls {
    channel: Channel,
    queue: Arc<str>,
    /// How many bytes the properties of a message may take.
    frame: usize,
    pressure: WriteBackpressure,
    /// Waits for the end of the subscription, which ends if this is dropped.
    _ended: AbortOnDropHandle<()>,
}

#[async_trait]
impl CallChannel for AmqpCalls {
    fn reply_queue(&self) -> &Arc<str> {
        &self.queue
    }

    fn publish<'a>(&'a self, queue: &'a str, call: Message) -> HandOver<'a> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let (queue, properties) = match publishable(queue, &call, self.frame) {
            Ok(publishable) => publishable,
            Err(unfit) => return Either::Left(ready(Err(PublishError::unfit(unfit)))),
        };
        let size = call.body.len() + call.headers.as_bytes().len() + FRAMES_SIZE;
        // Without a confirm, because the reply confirms the call. Nothing has to be woken when the
        // call is written either.
        if !self.pressure.may_hand_over(size) {
            let channel = self.channel.clone();
            let publishing = Box::pin(async move {
                let published =
                    channel.basic_publish("".into(), queue, options, &call.body, properties);
                published.await.map(drop)
            });
            return Either::Right(Box::pin(async move {
                let handed_over = self.pressure.wait_to_hand_over(size, publishing).await;
                handed_over.map_err(|error| publish_error(&error))
            }));
        }
        let publishing =
            self.channel
                .basic_publish("".into(), queue, options, &call.body, properties);
        Either::Left(ready(
            hand_over(publishing).map_err(|error| publish_error(&error)),
        ))
    }
}

impl fmt::Debug for AmqpCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpCalls")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// Hands a frame to lapin without waiting until it is written. lapin takes the frame at the first
/// poll, or fails. After that the future only waits for lapin's own thread, and being woken for
/// that costs as much as the rest of a call.
pub(super) fn hand_over<T>(
    operation: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<(), lapin::Error> {
    match pin!(operation).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(taken) => taken.map(drop),
        Poll::Pending => Ok(()),
    }
}

/// If lapin refuses a message because the channel or the connection is not open, the message was
/// not sent. After any other error it is unknown how far the message got.
pub(super) fn publish_error(error: &lapin::Error) -> PublishError {
    let sent = !matches!(
        error.kind(),
        ErrorKind::InvalidChannel(_)
            | ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidConnectionState(_)
    );
    PublishError::new(sent, refused(error, PUBLISH))
}

/// Roughly the memory that lapin needs for the other frames of a message while it keeps it.
const FRAMES_SIZE: usize = 1024;

/// The same options with which aio-pika declares the exchange.
const DEAD_LETTER_OPTIONS: ExchangeDeclareOptions = ExchangeDeclareOptions {
    passive: false,
    durable: false,
    auto_delete: true,
    internal: false,
    nowait: false,
};

/// The queue is exclusive: only its own connection may use it, so its name need not be secret.
const REPLY_QUEUE_OPTIONS: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: false,
    exclusive: true,
    auto_delete: true,
    nowait: false,
};
