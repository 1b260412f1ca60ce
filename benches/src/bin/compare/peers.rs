//! The compared peers, each written as its own documentation advises.

pub(crate) mod amqp;
pub(crate) mod channel;
pub(crate) mod nats;
pub(crate) mod rpc;
pub(crate) mod tcp;

use futures_util::future::BoxFuture;

/// A server that runs.
pub(crate) struct Served {
    /// Where clients reach it.
    pub(crate) url: String,
    /// Unsubscribes cleanly, so that the broker sends the server nothing more.
    pub(crate) close: BoxFuture<'static, ()>,
}
