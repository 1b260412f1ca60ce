//! The serving channel: method queues, deliveries, and how deliveries are settled.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRejectOptions, QueueDeclareOptions,
};
use lapin::protocol::AMQPErrorKind;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::acks::Acks;
use super::calls::{hand_over, publish_error};
use super::confirms::AmqpConfirms;
use super::direct_replies::DirectReplies;
use super::failure::words;
use super::limits::{BROKER_LIMIT, short};
use super::loss::{end_of, lost};
use super::permission::{CONSUME, DECLARE_METHOD, Needs, PUBLISH, refused};
use super::properties;
use super::screening::Screening;
use super::suspects::identity_of;
use super::taps::Taps;
use crate::error::serve::ServeError;
use crate::transport::backoff::Backoff;
use crate::transport::{
    ConfirmChannel, Loss, PublishError, Receipt, ServeChannel, Subscribed, TakeCall,
};
use crate::wire::message::{DEAD_LETTER_EXCHANGE, Message};
use crate::wire::queue_options::QueueOptions;

/// A channel for the methods of one server.
pub(super) struct AmqpServing {
    channel: Channel,
    acks: Arc<Acks>,
    /// For messages that must not be lost silently. Without confirms, a queue without a leader
    /// would lose them.
    confirms: AmqpConfirms,
    host: String,
    lost: watch::Receiver<Option<Loss>>,
    taps: Arc<Taps>,
    direct_replies: Arc<DirectReplies>,
    /// The consumer tags by queue, to cancel them.
    consumers: Mutex<HashMap<String, ShortString>>,
}

impl AmqpServing {
    pub(super) fn new(
        channel: Channel,
        confirms: AmqpConfirms,
        taps: Arc<Taps>,
        direct_replies: Arc<DirectReplies>,
        frame: usize,
        host: String,
        lost: watch::Receiver<Option<Loss>>,
    ) -> Self {
        Self {
            acks: Arc::new(Acks::new(channel.clone(), frame, lost.clone())),
            channel,
            confirms,
            taps,
            direct_replies,
            host,
            lost,
            consumers: Mutex::default(),
        }
    }

    async fn declare_queue(&self, queue: &str, options: &QueueOptions) -> Result<(), lapin::Error> {
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
        let declaring = self
            .channel
            .queue_declare(short(queue), declaration, arguments);
        declaring.await.map(drop)
    }

    async fn consume(
        &self,
        queue: &str,
        prefetch: u16,
        tag: ShortString,
    ) -> Result<Consumer, lapin::Error> {
        // Not global: it applies to each later consumer of this channel separately.
        self.channel
            .basic_qos(prefetch, BasicQosOptions::default())
            .await?;
        let options = BasicConsumeOptions::default();
        self.channel
            .basic_consume(short(queue), tag, options, FieldTable::default())
            .await
    }

    async fn set_up<T>(
        &self,
        queue: &str,
        needs: Needs,
        operation: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, ServeError> {
        let reason = match timeout(BROKER_LIMIT, operation).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => refused(&error, needs),
            Err(_) => format!("no answer within {BROKER_LIMIT:?}").into(),
        };
        Err(ServeError::queue(queue, &self.host, reason.words).caused_by(reason.source))
    }

    /// The only limit is the life of the connection: see [`ServeChannel::answer`].
    async fn while_connected<T>(
        &self,
        operation: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, PublishError> {
        tokio::select! {
            result = operation => result.map_err(|error| publish_error(&error)),
            Loss(reason) = lost(&self.lost) => Err(PublishError::new(true, reason)),
        }
    }

    /// Settles a delivery without waiting until that is written.
    fn settle(
        &self,
        tag: u64,
        operation: impl Future<Output = Result<(), lapin::Error>>,
    ) -> Result<(), PublishError> {
        hand_over(operation).map_err(|error| publish_error(&error))?;
        self.acks.settled(tag);
        Ok(())
    }

    /// Returns whether the operation succeeded. A failure is only logged.
    async fn tear_down(
        &self,
        what: &str,
        operation: impl Future<Output = Result<(), lapin::Error>>,
    ) -> bool {
        let reason = match timeout(BROKER_LIMIT, operation).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => words(&error),
            Err(_) => format!("no answer within {BROKER_LIMIT:?}"),
        };
        debug!(host = self.host, reason, "{what} failed");
        false
    }
}

#[async_trait]
impl ServeChannel for AmqpServing {
    async fn declare(&self, queue: &str, options: &QueueOptions) -> Result<(), ServeError> {
        let declaring = self.declare_queue(queue, options);
        self.set_up(queue, DECLARE_METHOD, declaring).await
    }

    async fn subscribe(
        &self,
        queue: &str,
        prefetch: u16,
        take: TakeCall,
    ) -> Result<Subscribed, ServeError> {
        let screening = Screening {
            acks: Arc::clone(&self.acks),
            suspects: Arc::clone(&self.taps.suspects),
            direct_replies: Arc::clone(&self.direct_replies),
            take: Arc::clone(&take),
            runtime: Handle::current(),
        };
        // The prefetch bounds what arrives here and is not settled.
        let pass = Arc::new(move |delivery| screening.pass(delivery));
        let (tag, tap) = self.taps.consume(pass);
        let consuming = self.consume(queue, prefetch, tag.clone());
        let consumer = self.set_up(queue, CONSUME, consuming).await?;
        let mut consumers = self
            .consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        consumers.insert(queue.to_owned(), tag);
        drop(consumers);
        let (host, queue) = (self.host.clone(), queue.to_owned());
        let (taps, acks) = (Arc::clone(&self.taps), Arc::clone(&self.acks));
        let ended = tokio::spawn(async move {
            if let Some(error) = end_of(consumer).await {
                taps.suspects.note(&error, acks.given_up());
                warn_if_refused(&host, &queue, &error);
            }
            drop(tap);
            take(None);
        });
        Ok(Box::new(AbortOnDropHandle::new(ended)))
    }

    fn answer(&self, tags: &[u64], reply_to: &str, reply: Message) -> Result<(), PublishError> {
        let answered = self.acks.answer(tags, reply_to, reply);
        answered.map_err(|error| publish_error(&error))
    }

    fn unsettled(&self) -> usize {
        self.acks.unsettled()
    }

    async fn all_settled(&self) {
        self.acks.all_settled().await;
    }

    fn ack(&self, tag: u64) -> Result<(), PublishError> {
        self.acks.ack(tag).map_err(|error| publish_error(&error))
    }

    async fn ack_written(&self, tag: u64) -> Result<(), PublishError> {
        let acking = async {
            // The delivery may be a batch, and replies to other calls of it may not be written
            // yet.
            self.acks.all_written().await;
            let options = BasicAckOptions::default();
            self.channel.basic_ack(tag, options).await
        };
        self.while_connected(acking).await?;
        self.acks.settled(tag);
        Ok(())
    }

    fn reject(&self, tag: u64) -> Result<(), PublishError> {
        let options = BasicRejectOptions { requeue: false };
        self.settle(tag, self.channel.basic_reject(tag, options))
    }

    async fn place(&self, queue: &str, message: Message) -> Result<Receipt, PublishError> {
        let mut backoff = Backoff::default();
        let identity = identity_of(&message);
        self.acks.placing(identity);
        loop {
            match self.confirms.publish(queue, message.clone()).await {
                // Not sent, because no channel could be opened, as while the broker is short of
                // memory.
                Err(error)
                    if !error.sent && error.unfit.is_none() && self.lost.borrow().is_none() => {}
                end => {
                    // What failed may be the reason why the connection ended.
                    if end.is_ok() {
                        self.acks.placed(identity);
                    }
                    return end;
                }
            }
            sleep(backoff.next_wait()).await;
        }
    }

    async fn requeue(&self, tag: u64) -> Result<(), PublishError> {
        let options = BasicNackOptions {
            requeue: true,
            ..BasicNackOptions::default()
        };
        let requeueing = self.channel.basic_nack(tag, options);
        self.while_connected(requeueing).await?;
        self.acks.settled(tag);
        Ok(())
    }

    async fn cancel(&self) {
        let consumers = {
            let mut consumers = self
                .consumers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *consumers)
        };
        for tag in consumers.into_values() {
            let cancelling = self
                .channel
                .basic_cancel(tag, BasicCancelOptions::default());
            if !self
                .tear_down("cancelling a subscription", cancelling)
                .await
            {
                return;
            }
        }
    }

    async fn close(&self) {
        let closing = async {
            if self.channel.status().connected() {
                // Otherwise calls that are answered but not settled would go to another server.
                self.all_settled().await;
            }
            self.channel.close(200, "OK".into()).await
        };
        self.tear_down("closing a serving channel", closing).await;
    }
}

/// Logs why the broker closed the channel of a server, for instance because the user may not
/// publish replies. Nothing else reports it.
fn warn_if_refused(host: &str, queue: &str, error: &lapin::Error) {
    if let ErrorKind::ProtocolError(protocol) = error.kind()
        && let AMQPErrorKind::Soft(_) = protocol.kind()
    {
        let reason = refused(error, PUBLISH);
        warn!(
            host,
            queue, %reason, "the broker closed the channel of a server"
        );
    }
}

impl fmt::Debug for AmqpServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpServing")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
