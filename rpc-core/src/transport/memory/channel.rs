//! The channels of a link for calls and for serving.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::future::Either;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::Instant;

use super::broker::Broker;
use super::replies::Replies;
use super::state::{BrokerState, ConnectionId, Refusal, Routed};
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;
use crate::transport::{
    CallChannel, HandOver, Loss, OpenCalls, PublishError, Receipt, ServeChannel, Subscribed,
    TakeCall, TakeReply,
};
use crate::wire::message::Message;
use crate::wire::outbound::{self, FRAME_OVERHEAD, warn_unanswerable};
use crate::wire::queue_options::QueueOptions;
use crate::wire::random_uuid::random_uuid;

/// The connection to which a channel belongs.
#[derive(Clone, Debug)]
pub(super) struct MemoryConnection {
    pub(super) broker: Arc<Broker>,
    pub(super) id: ConnectionId,
    pub(super) loss: watch::Receiver<Option<Loss>>,
}

impl MemoryConnection {
    pub(super) fn open_calls(&self) -> Result<OpenCalls, ConnectError> {
        let reply_queue = format!("rpc.reply.{}", random_uuid());
        // Unbounded, because the calls in flight bound it: each brings one message back.
        let (sender, receiver) = mpsc::unbounded_channel();
        let opened = self
            .broker
            .lock()
            .open_calls(self.id, reply_queue.clone(), sender);
        opened.map_err(|refusal| self.unreachable(refusal))?;
        let channel = Calls {
            connection: self.clone(),
            reply_queue: reply_queue.into(),
        };
        Ok(OpenCalls {
            channel: Arc::new(channel),
            incoming: Box::pin(Replies::new(receiver)),
        })
    }

    pub(super) fn open_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError> {
        let ended = Arc::new(AtomicBool::new(false));
        let opened = self.broker.lock().open_channel(self.id, Arc::clone(&ended));
        let id = opened.map_err(|refusal| self.unreachable(refusal))?;
        Ok(Arc::new(Serving {
            connection: self.clone(),
            id,
            ended,
        }))
    }

    fn unreachable(&self, refusal: Refusal) -> ConnectError {
        ConnectError::unreachable(self.broker.url(), self.reason(refusal))
    }

    /// Publishes a call as soon as the broker takes it.
    pub(super) fn publish<'a, T: Send + 'a>(
        &'a self,
        call: Message,
        publish: impl Fn(&mut BrokerState, Message) -> Result<Routed<T>, Refusal> + Send + Sync + 'a,
    ) -> HandOver<'a, T> {
        let mut call = match publish(&mut self.broker.lock(), call) {
            Ok(Routed::Done(done)) => return Either::Left(ready(Ok(done))),
            Err(refusal) => return Either::Left(ready(Err(self.not_sent(refusal)))),
            Ok(Routed::Blocked(returned)) => returned,
        };
        Either::Right(Box::pin(async move {
            loop {
                // Created before the attempt, so that a gate opened in between is not missed.
                let opened = self.broker.gate.notified();
                let published = publish(&mut self.broker.lock(), *call);
                match published.map_err(|refusal| self.not_sent(refusal))? {
                    Routed::Done(done) => return Ok(done),
                    Routed::Blocked(returned) => call = returned,
                }
                opened.await;
            }
        }))
    }

    fn not_sent(&self, refusal: Refusal) -> PublishError {
        PublishError::new(false, self.reason(refusal))
    }

    fn reason(&self, refusal: Refusal) -> String {
        match refusal {
            Refusal::Because(reason) => reason,
            Refusal::Closed => match &*self.loss.borrow() {
                Some(Loss(reason)) => reason.words.clone(),
                None => "the channel is closed".to_owned(),
            },
        }
    }
}

/// A channel for calls. Dropping it deletes its reply queue.
#[derive(Debug)]
struct Calls {
    connection: MemoryConnection,
    reply_queue: Arc<str>,
}

#[async_trait]
impl CallChannel for Calls {
    fn reply_queue(&self) -> &Arc<str> {
        &self.reply_queue
    }

    fn shorten(&self, take: TakeReply) {
        self.connection
            .broker
            .lock()
            .shorten(&self.reply_queue, take);
    }

    fn publish<'a>(&'a self, queue: &'a str, call: Message) -> HandOver<'a> {
        let own = (self.connection.id, &*self.reply_queue);
        let publish =
            move |state: &mut BrokerState, call| state.call(own, queue, call, Instant::now());
        if let Err(unfit) = outbound::check(queue, &call, FRAME) {
            return Either::Left(ready(Err(PublishError::unfit(unfit))));
        }
        self.connection.publish(call, publish)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let MemoryConnection { broker, id, .. } = &self.connection;
        broker.lock().close_calls(*id, &self.reply_queue);
    }
}

/// A channel for serving. Dropping it closes it.
#[derive(Debug)]
struct Serving {
    connection: MemoryConnection,
    id: u64,
    ended: Arc<AtomicBool>,
}

impl Serving {
    fn settle(
        &self,
        how: fn(&mut BrokerState, u64, u64) -> Result<(), Refusal>,
        tag: u64,
    ) -> Result<(), PublishError> {
        let settled = how(&mut self.connection.broker.lock(), self.id, tag);
        settled.map_err(|refusal| self.connection.not_sent(refusal))
    }

    fn refused(&self, queue: &str, refusal: Refusal) -> ServeError {
        match refusal {
            Refusal::Because(reason) => {
                ServeError::queue(queue, self.connection.broker.url(), reason)
            }
            Refusal::Closed => self.connection.unreachable(refusal).into(),
        }
    }
}

#[async_trait]
impl ServeChannel for Serving {
    async fn declare(&self, queue: &str, options: &QueueOptions) -> Result<(), ServeError> {
        let broker = &self.connection.broker;
        let declared = broker
            .lock()
            .declare(self.id, queue, options, Instant::now());
        declared.map_err(|refusal| self.refused(queue, refusal))
    }

    async fn subscribe(
        &self,
        queue: &str,
        prefetch: u16,
        take: TakeCall,
    ) -> Result<Subscribed, ServeError> {
        let broker = &self.connection.broker;
        let subscribed = broker
            .lock()
            .subscribe(self.id, queue, prefetch, take, Instant::now());
        let consumer = subscribed.map_err(|refusal| self.refused(queue, refusal))?;
        Ok(Box::new(Subscription {
            broker: Arc::clone(broker),
            channel: self.id,
            consumer,
        }))
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn answer(&self, tags: &[u64], reply_to: &str, reply: Message) -> Result<(), PublishError> {
        if let Err(unfit) = outbound::check(reply_to, &reply, FRAME) {
            warn_unanswerable(unfit);
            return tags.iter().try_for_each(|tag| self.ack(*tag));
        }
        let sent = self
            .connection
            .broker
            .lock()
            .reply(self.id, reply_to, reply);
        // Not under the lock, because this wakes the caller.
        let sent = sent.map(|direct| {
            if let Some((take, reply)) = direct {
                take(reply);
            }
        });
        sent.map_err(|refusal| self.connection.not_sent(refusal))?;
        tags.iter().try_for_each(|tag| self.ack(*tag))
    }

    fn ack(&self, tag: u64) -> Result<(), PublishError> {
        self.settle(BrokerState::ack, tag)
    }

    async fn ack_written(&self, tag: u64) -> Result<(), PublishError> {
        self.ack(tag)
    }

    fn reject(&self, tag: u64) -> Result<(), PublishError> {
        self.settle(BrokerState::reject, tag)
    }

    async fn place(&self, queue: &str, message: Message) -> Result<Receipt, PublishError> {
        outbound::check(queue, &message, FRAME).map_err(PublishError::unfit)?;
        let placed = self.connection.broker.lock().place(self.id, queue, message);
        placed.map_err(|refusal| self.connection.not_sent(refusal))
    }

    async fn requeue(&self, tag: u64) -> Result<(), PublishError> {
        self.settle(BrokerState::requeue, tag)
    }

    async fn cancel(&self) {
        self.connection
            .broker
            .lock()
            .cancel(self.id, Instant::now());
    }

    async fn close(&self) {
        self.connection
            .broker
            .lock()
            .close_channel(self.id, Instant::now());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.connection
            .broker
            .lock()
            .close_channel(self.id, Instant::now());
    }
}

/// One subscription. Dropping it ends it.
#[derive(Debug)]
struct Subscription {
    broker: Arc<Broker>,
    channel: u64,
    consumer: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.broker
            .lock()
            .unsubscribe(self.channel, self.consumer, Instant::now());
    }
}

/// What the properties of a message may take in RabbitMQ's default frame size of 128 KiB.
pub(super) const FRAME: usize = 131_072 - FRAME_OVERHEAD;
