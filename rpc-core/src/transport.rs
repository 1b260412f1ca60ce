//! The seam between calls and whatever carries them. Two transports implement it, `amqp` and `memory`,
//! and one conformance suite holds both to the same behaviour.
//!
//! A [`Link`] is one connection for one purpose; it is never mended, only replaced by the supervisor.
//! Setting up and taking down ends by itself within a limit that the transport sets; publishing and
//! settling end when the link is lost.

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
    /// How many hosts there are to try; at least 1.
    fn hosts(&self) -> usize;

    /// Connects to the host of that number. Two purposes never share a connection, since a memory alarm
    /// stops RabbitMQ from reading any connection that publishes.
    async fn connect(&self, host: usize, purpose: Purpose) -> Result<Arc<dyn Link>, ConnectError>;
}

/// What a connection is for; part of the name that the broker shows for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    Calling,
    Serving,
}

/// One connection.
#[async_trait]
pub(crate) trait Link: fmt::Debug + Send + Sync + 'static {
    /// The host and port at the other end, for messages.
    fn host(&self) -> &str;

    /// The name of the user as which it logged in, if calls are to bear it.
    fn user_id(&self) -> Option<&str>;

    /// Waits until the connection is gone, and says why. Any number of tasks may wait.
    async fn lost(&self) -> Loss;

    /// The broker's reason, while it accepts no publishes on this connection.
    fn blocked(&self) -> Option<String>;

    /// Waits until the broker accepts publishes. Without a limit; callers have one, or wait for a loss too.
    async fn unblocked(&self);

    /// Opens a channel for calls, with a fresh reply queue that is bound to the dead-letter exchange.
    async fn call_channel(&self) -> Result<OpenCalls, ConnectError>;

    /// Opens a channel for serving methods.
    async fn serve_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError>;

    /// Makes ready to send calls that are confirmed.
    fn confirm_channel(&self) -> Box<dyn ConfirmChannel>;

    /// Makes ready to look at queues.
    fn queue_probe(&self) -> Box<dyn QueueProbe>;

    /// Closes the connection. What was published before is sent first.
    async fn close(&self);
}

/// A calling channel together with what comes back on it.
pub(crate) struct OpenCalls {
    pub(crate) channel: Arc<dyn CallChannel>,
    /// Ends when the channel or the connection does.
    pub(crate) incoming: Messages<Incoming>,
}

/// The calling end.
#[async_trait]
pub(crate) trait CallChannel: fmt::Debug + Send + Sync + 'static {
    /// The queue on which replies and bounced calls arrive, a new name for each channel.
    fn reply_queue(&self) -> &Arc<str>;

    /// The most that properties and headers of a message may take together, in bytes.
    fn header_limit(&self) -> usize;

    /// Where replies may go by themselves from whoever brings them, rather than through the stream of all that comes in.
    /// A transport that has tasks of its own for what comes in has no use for it.
    fn shorten(&self, _: TakeReply) {}

    /// Sends a call to the queue of its method, without waiting until it is written. A call that no queue
    /// takes comes back as [`Incoming::Returned`].
    fn publish<'a>(&'a self, queue: &'a str, call: Message) -> HandOver<'a>;
}

/// Takes a reply, in any task.
pub(crate) type TakeReply = Arc<dyn Fn(Message) + Send + Sync>;

/// The end of calls that the broker confirms.
#[async_trait]
pub(crate) trait ConfirmChannel: fmt::Debug + Send + Sync + 'static {
    /// Sends a call to the queue of its method and returns when the broker says what became of it.
    /// Without a limit of its own; it ends with the connection.
    async fn publish(&self, queue: &str, call: Message) -> Result<Receipt, PublishError>;
}

/// What the broker did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It is in its queue.
    Taken,
    /// There is no such queue.
    Unroutable,
    /// Its queue did not take it: it is full, or a quorum queue without a leader.
    Refused,
}

/// The end that looks at queues.
#[async_trait]
pub(crate) trait QueueProbe: fmt::Debug + Send + 'static {
    /// Looks at one queue; `None` if the broker does not answer. Without a limit. Not cancel safe: one that is
    /// dropped while it looks must not be used again.
    async fn probe(&mut self, queue: &str) -> Option<QueueStatus>;
}

/// What a queue looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueStatus {
    There {
        /// Those that no server has taken.
        calls: u32,
        servers: u32,
    },
    Absent,
}

/// The serving end. Deliveries are settled on the channel that brought them, each exactly once.
#[async_trait]
pub(crate) trait ServeChannel: fmt::Debug + Send + Sync + 'static {
    /// Declares the queue of a method. An error closes the channel with all its subscriptions.
    async fn declare(&self, queue: &str, options: &QueueOptions) -> Result<(), ServeError>;

    /// Takes calls from a queue, at most `prefetch` unsettled at a time. The stream ends when the
    /// subscription does, whoever ends it. An error closes the channel with all its subscriptions.
    async fn subscribe(&self, queue: &str, prefetch: u16)
    -> Result<Messages<Delivery>, ServeError>;

    /// Sends a reply, and settles the deliveries of which it is the last when it is written, without waiting for either. A
    /// reply whose caller has gone is dropped.
    ///
    /// This and settling have no limit of their own: a broker that is short of memory takes nothing for
    /// as long as that lasts, and giving up would have the call run as interrupted. They end with the
    /// connection, whose heartbeats bound them otherwise.
    fn answer(&self, tags: &[u64], reply_to: &str, reply: Message) -> Result<(), PublishError>;

    /// How many deliveries have been answered and are not settled yet.
    fn unsettled(&self) -> usize {
        0
    }

    /// Returns when all replies are written and what they answer is settled, or when nothing can be any more.
    async fn all_settled(&self) {}

    /// Settles a delivery that needs no answer, without waiting until that is written.
    fn ack(&self, tag: u64) -> Result<(), PublishError>;

    /// As [`ack`](Self::ack), and returns when that is written.
    async fn ack_written(&self, tag: u64) -> Result<(), PublishError>;

    /// Settles a delivery that nobody can make use of: it leaves its queue for the dead-letter exchange. Does not wait
    /// either.
    fn reject(&self, tag: u64) -> Result<(), PublishError>;

    /// Puts a message at the end of a queue and returns when the broker says what became of it. Like a reply
    /// it has no limit of its own while the broker says nothing.
    async fn place(&self, queue: &str, message: Message) -> Result<Receipt, PublishError>;

    /// Puts a delivery back to its place in its queue, marked as redelivered.
    async fn requeue(&self, tag: u64) -> Result<(), PublishError>;

    /// Stops new deliveries on all subscriptions. Those already here stay in their streams, which then
    /// end.
    async fn cancel(&self);

    /// Closes the channel; the broker gives unsettled deliveries to another server, marked as redelivered.
    async fn close(&self);
}

/// A message on its way to the broker: over, so that no future need be made, or begun when it is first polled, and with nothing
/// handed over before its end.
pub(crate) type HandOver<'a, T = ()> =
    Either<Ready<Result<T, PublishError>>, BoxFuture<'a, Result<T, PublishError>>>;

/// A stream of what a channel receives.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Why a connection is gone.
#[derive(Clone, Debug)]
pub(crate) struct Loss(pub(crate) Reason);

/// A message that was not, or perhaps not, sent.
#[derive(Clone, Debug)]
pub(crate) struct PublishError {
    /// `false` only if nothing of it can have reached the broker.
    pub(crate) sent: bool,
    /// In a box: few fail, and each call in flight has room for one.
    pub(crate) reason: Box<Reason>,
}
