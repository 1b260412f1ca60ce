//! The public handles of servers: [`Serve`] and [`Server`].

pub(crate) mod admission;
pub(crate) mod batch_consumer;
pub(crate) mod batch_queue;
pub(crate) mod clock_skew;
pub(crate) mod consumers;
pub(crate) mod dispatch;
pub(crate) mod handler_latency;
pub(crate) mod method_server;
pub(crate) mod redelivery;
pub(crate) mod registry;
pub(crate) mod reply_batcher;
pub(crate) mod session;
pub(crate) mod settlement;
pub(crate) mod subscription;
pub(crate) mod task_pool;
pub(crate) mod unreadable;
pub(crate) mod worker;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::contract::service::Method;
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;
use crate::wire::queue_options::QueueOptions;
use registry::{Ended, Registry};

/// A running server of one or more methods.
///
/// Dropping this handle does not stop the server. The server runs until
/// [`shutdown`](Self::shutdown), until [`Rpc::close`](crate::Rpc::close), or until the last clone
/// of its [`Rpc`](crate::Rpc) and every `Server` of that `Rpc` are dropped.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    ended: Ended,
    /// Keeps the connection and the server's task alive.
    _registry: Arc<Registry>,
}

impl Server {
    /// Stops taking calls, hands calls that have not started back to the queue for other servers,
    /// finishes and answers the calls that run, and stops. A rolling restart that does this fails
    /// no call, unless the methods have [quorum queues](crate::guide::guarantees#quorum-queues).
    ///
    /// # Errors
    ///
    /// [`ServeError::GraceExceeded`] if calls still ran after the grace period (30 s by default)
    /// and were dropped. Their callers get [`RpcError::Interrupted`](crate::RpcError::Interrupted).
    /// Calls of idempotent methods go to another server instead.
    ///
    /// # Cancellation
    ///
    /// The shutdown continues if this future is dropped.
    pub async fn shutdown(&self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.join().await
    }

    /// Waits until the server has stopped, for whatever reason. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`shutdown`](Self::shutdown).
    pub async fn join(&self) -> Result<(), ServeError> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        match ended {
            Ok(ended) => ended.clone().unwrap_or(Ok(())),
            // The server's task was dropped together with its runtime.
            Err(_) => Err(ConnectError::Closed.into()),
        }
    }
}

/// Methods that are about to be served: a future that resolves to the [`Server`] that runs them.
///
/// The options apply to all methods. Nothing happens before the first poll; after it, setting
/// options has no effect.
#[must_use = "nothing is served until this is awaited"]
pub struct Serve {
    state: ServeState,
}

enum ServeState {
    Ready(Arc<Registry>, Vec<Method>),
    Starting(BoxFuture<'static, Result<Server, ServeError>>),
    Done,
}

impl Serve {
    pub(crate) fn new(registry: &Arc<Registry>, methods: Vec<Method>) -> Self {
        Self {
            state: ServeState::Ready(Arc::clone(registry), methods),
        }
    }

    /// Sets whether a call may run again after a server that may have run it was lost.
    ///
    /// If it may not, the caller gets [`RpcError::Interrupted`](crate::RpcError::Interrupted). If
    /// it may, a call that has crashed two servers is not run again; see
    /// [`dead_letter_queue`](Self::dead_letter_queue).
    ///
    /// Defaults to what the trait says about each method, and to `false` for other methods.
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.with(|method| method.options.idempotent = idempotent)
    }

    /// Sets how many calls of each method this server runs at a time; 0 counts as 1. Further calls
    /// wait in the queue, where other servers can take them. This is also the consumer's prefetch.
    ///
    /// Defaults to 256.
    pub fn concurrency(self, calls: u16) -> Self {
        self.with(|method| method.options.concurrency = calls.max(1))
    }

    /// Sets how the methods' queues are declared. All servers of a method must declare its queue
    /// alike.
    ///
    /// Defaults to [`QueueOptions::default`].
    pub fn queue(self, options: QueueOptions) -> Self {
        self.with(|method| method.options.queue = options.clone())
    }

    /// Dead-letters poison calls and unreadable calls to the queue of this name.
    ///
    /// A call of an idempotent method goes to another server if its server is lost. A call that has
    /// crashed two servers is not retried: its caller gets the [`RemoteError`](crate::RemoteError)
    /// `rpc.Poisoned`, and a copy of the call is published to this queue. The copy is persistent
    /// and keeps the call's headers; the header `rpc-method` holds the method's name.
    ///
    /// A message that cannot be read, because its properties are not UTF-8, is rejected. Its
    /// readable parts are published to this queue too, with the reason in the header
    /// `rpc-unreadable`.
    ///
    /// The queue is declared durable and has no length limit, so make sure that somebody inspects
    /// and empties it.
    ///
    /// Defaults to none.
    pub fn dead_letter_queue(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|method| method.options.dead_letters = Some(name.clone()))
    }

    fn with(mut self, set: impl Fn(&mut Method)) -> Self {
        if let ServeState::Ready(_, methods) = &mut self.state {
            methods.iter_mut().for_each(set);
        }
        self
    }
}

impl Future for Serve {
    type Output = Result<Server, ServeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let ServeState::Ready(..) = self.state
            && let ServeState::Ready(registry, methods) =
                std::mem::replace(&mut self.state, ServeState::Done)
        {
            self.state = ServeState::Starting(Box::pin(async move {
                let stop = CancellationToken::new();
                let ended = registry.start(methods, stop.clone()).await?;
                Ok(Server {
                    stop,
                    ended,
                    _registry: registry,
                })
            }));
        }
        let ServeState::Starting(starting) = &mut self.state else {
            panic!("a `Serve` was polled after it had ended");
        };
        let served = std::task::ready!(starting.as_mut().poll(cx));
        self.state = ServeState::Done;
        Poll::Ready(served)
    }
}

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut serve = f.debug_struct("Serve");
        match &self.state {
            ServeState::Ready(_, methods) => serve.field("methods", methods),
            ServeState::Starting(_) => serve.field("state", &"starting"),
            ServeState::Done => serve.field("state", &"done"),
        };
        serve.finish_non_exhaustive()
    }
}
