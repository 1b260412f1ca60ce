//! The traits between calls and the broker that carries them. `amqp` and `memory` implement them,
//! and one conformance suite holds both to the same behaviour.
//!
//! A [`Link`] is one connection for one purpose. It is never repaired: the supervisor replaces it.
//! Setting up and tearing down are bounded by limits that the transport sets. Publishing and
//! settling end when the link is lost.

use std::any::Any;
use std::fmt;
use std::future::Ready;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Stream;
use futures_util::future::{BoxFuture, Either};

use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::error::serve::ServeError;
use crate::wire::message::{Delivery, Incoming, Message};
use crate::wire::outbound::Unfit;
use crate::wire::queue_options::QueueOptions;

pub(crate) mod amqp;
pub(crate) mod backoff;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(test)]
#[cfg(feature = "memory")]
pub(crate) mod watched;

/// A way to reach one broker, which may have several hosts.
#[async_trait]
pub(crate) trait Transport: fmt::Debug + Send + Sync + 'static {
    /// The number of hosts, at least 1.
    fn hosts(&self) -> usize;

    /// Connects to the host with this index. Two purposes never share a connection: during a
    /// memory alarm RabbitMQ stops reading from every connection that publishes.
    async fn connect(&self, host: usize, purpose: Purpose) -> Result<Arc<dyn Link>, ConnectError>;
}

/// What a connection is for. It is part of the connection name that the broker shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Calling,
    Serving,
}

/// One connection.
#[async_trait]
pub(crate) trait Link: fmt::Debug + Send + Sync + 'static {
    /// The remote host and port, for errors and logs.
    fn host(&self) -> &str;

    /// The user name of the connection, if calls are to carry it.
    fn user_id(&self) -> Option<&str>;

    /// Waits until the connection is lost and returns the reason. Any number of tasks may wait.
    async fn lost(&self) -> Loss;

    /// The broker's reason while it accepts no publishes on this connection; `None` otherwise.
    fn blocked(&self) -> Option<String>;

    /// Waits until the broker accepts publishes. There is no limit: callers set their own, or also
    /// wait for the loss of the connection.
    async fn unblocked(&self);

    /// Opens a channel for calls, with a new reply queue that is bound to the dead-letter
    /// exchange.
    async fn call_channel(&self) -> Result<OpenCalls, ConnectError>;

    /// Opens a channel for serving methods.
    async fn serve_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError>;

    /// A channel for calls with publisher confirms. It is opened on first use.
    fn confirm_channel(&self) -> Box<dyn ConfirmChannel>;

    /// A channel for inspecting queues. It is opened on first use.
    fn queue_probe(&self) -> Box<dyn QueueProbe>;

    /// Closes the connection, after everything that was already published has been sent.
    async fn close(&self);
}

/// A channel for calls and the stream of what arrives on it.
pub(crate) struct OpenCalls {
    pub(crate) channel: Arc<dyn CallChannel>,
    /// Ends when the channel or the connection does.
    pub(crate) incoming: Messages<Incoming>,
}

/// A channel for calls.
#[async_trait]
pub(crate) trait CallChannel: fmt::Debug + Send + Sync + 'static {
    /// The queue that receives replies and bounced calls. Each channel has a new name for it.
    fn reply_queue(&self) -> &Arc<str>;

    /// Sets a function that takes replies directly from the task that delivers them, bypassing the
    /// stream of incoming messages. A transport that reads its connection in its own tasks does
    /// not need it and ignores it.
    fn shorten(&self, _: TakeReply) {}

    /// Sends a call to the queue of its method, without waiting until it is written. A call that
    /// cannot be routed to a queue comes back as [`Incoming::Returned`].
    fn publish<'a>(&'a self, queue: &'a str, call: Message) -> HandOver<'a>;
}

/// Takes a reply. It may be called from any task.
pub(crate) type TakeReply = Arc<dyn Fn(Message) + Send + Sync>;

/// A channel for calls that the broker confirms.
#[async_trait]
pub(crate) trait ConfirmChannel: fmt::Debug + Send + Sync + 'static {
    /// Sends a call to the queue of its method, and returns when the broker reports what became of
    /// it. There is no limit of its own; it ends with the connection.
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError>;
}

/// What the broker did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It is in its queue.
    Taken,
    /// There is no such queue.
    Unroutable,
    /// Its queue did not take it: the queue is full, or is a quorum queue without a leader.
    Refused,
}

/// A channel for inspecting queues.
#[async_trait]
pub(crate) trait QueueProbe: fmt::Debug + Send + 'static {
    /// Inspects one queue; `None` if the broker does not answer. There is no limit. Not cancel
    /// safe: a probe that was dropped while it waited must not be used again.
    async fn probe(&mut self, queue: &str) -> Option<QueueStatus>;
}

/// The state of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueStatus {
    There {
        /// Calls that no server has taken yet.
        calls: u32,
        servers: u32,
    },
    Absent,
}

/// A channel for serving. Each delivery is settled exactly once, on the channel that delivered it.
#[async_trait]
pub(crate) trait ServeChannel: fmt::Debug + Send + Sync + 'static {
    /// Declares the queue of a method. An error closes the channel with all its subscriptions.
    async fn declare(&self, queue: &str, options: &QueueOptions) -> Result<(), ServeError>;

    /// Consumes calls from a queue, with at most `prefetch` unsettled at a time. `take` gets them in
    /// the order of their arrival, and `None` when the subscription has ended, for whatever reason.
    /// An error closes the channel with all its subscriptions.
    async fn subscribe(
        &self,
        queue: &str,
        prefetch: u16,
        take: TakeCall,
    ) -> Result<Subscribed, ServeError>;

    /// Whether the channel has ended so that calls which it delivered may already be elsewhere.
    fn is_over(&self) -> bool {
        false
    }

    /// Sends a reply and returns without waiting until it is written. `tags` are the deliveries
    /// for which this is the last reply: they are settled once it is written. A reply to a caller
    /// that is gone is dropped.
    ///
    /// Replying and settling have no limit of their own. A broker that is short of memory takes
    /// nothing for as long as that lasts, and if the server gave up, the call would count as
    /// interrupted. They end with the connection, which is otherwise bounded by its heartbeats.
    fn answer(&self, tags: &[u64], reply_to: &str, reply: Message) -> Result<(), PublishError>;

    /// The number of deliveries that have been answered but not settled yet.
    fn unsettled(&self) -> usize {
        0
    }

    /// Returns when all replies are written and their deliveries are settled, or when none can be
    /// any more.
    async fn all_settled(&self) {}

    /// Settles a delivery that needs no reply, without waiting until that is written.
    fn ack(&self, tag: u64) -> Result<(), PublishError>;

    /// Like [`ack`](Self::ack), but returns when it is written.
    async fn ack_written(&self, tag: u64) -> Result<(), PublishError>;

    /// Rejects a delivery that no server can use: the broker moves it from its queue to the
    /// dead-letter exchange. Does not wait until that is written.
    fn reject(&self, tag: u64) -> Result<(), PublishError>;

    /// Puts a message at the end of a queue, and returns when the broker reports what became of
    /// it. Like a reply, it has no limit of its own while the broker does not answer.
    async fn place(&self, queue: &str, message: Message) -> Result<Receipt, PublishError>;

    /// Returns a delivery to its place in its queue, marked as redelivered.
    async fn requeue(&self, tag: u64) -> Result<(), PublishError>;

    /// Stops new deliveries on all subscriptions, which end after the deliveries that have already
    /// arrived.
    async fn cancel(&self);

    /// Closes the channel. The broker redelivers unsettled deliveries to another server, marked as
    /// redelivered.
    async fn close(&self);
}

/// The result of handing a message over to the transport: either ready at once, which saves a
/// boxed future, or a future. The future does nothing until it is first polled, and hands nothing
/// over before it completes.
pub(crate) type HandOver<'a, T = ()> =
    Either<Ready<Result<T, PublishError>>, BoxFuture<'a, Result<T, PublishError>>>;

/// Takes a call that a subscription delivers, or `None` at its end. It may run on any thread, and
/// under a lock: it must not block.
pub(crate) type TakeCall = Arc<dyn Fn(Option<Delivery>) + Send + Sync>;

/// A subscription. Dropping it ends the subscription, and nothing more is delivered.
pub(crate) type Subscribed = Box<dyn Any + Send + Sync>;

/// A stream of what a channel receives.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Why a connection was lost.
#[derive(Clone, Debug)]
pub(crate) struct Loss(pub(crate) Reason);

impl PublishError {
    pub(crate) fn new(sent: bool, reason: impl Into<Reason>) -> Self {
        Self {
            sent,
            reason: Box::new(reason.into()),
            unfit: None,
        }
    }

    /// The error of a message that does not pass the gate.
    pub(crate) fn unfit(unfit: Unfit) -> Self {
        Self {
            unfit: Some(unfit),
            ..Self::new(false, unfit.to_string())
        }
    }
}

/// The error of a message that was not sent, or may not have been sent.
#[derive(Clone, Debug)]
pub(crate) struct PublishError {
    /// `false` only if no part of the message can have reached the broker.
    pub(crate) sent: bool,
    /// In a box: few fail, and each call in flight has room for one.
    pub(crate) reason: Box<Reason>,
    /// Set if the message can never be sent.
    pub(crate) unfit: Option<Unfit>,
}
