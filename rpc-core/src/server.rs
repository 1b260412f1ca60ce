//! Servers as their users see them.

use std::future::IntoFuture;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connect_error::ConnectError;
use crate::options::QueueOptions;
use crate::rpc::Rpc;
use crate::serve_error::ServeError;
use crate::service::Method;

/// Methods that are being served.
///
/// Dropping it does not stop the server: that goes on until [`shutdown`](Self::shutdown), until
/// [`Rpc::close`], or until the last clone of its [`Rpc`] and every `Server` of it are dropped.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    ended: Ended,
    /// Keeps the connection.
    _rpc: Rpc,
}

impl Server {
    /// Stops taking calls, hands back to other servers what was not started, finishes what was, answers
    /// it, and leaves. A rolling restart that does this fails no call.
    ///
    /// # Errors
    ///
    /// [`ServeError::GraceExceeded`] if calls still ran after the grace period, by default 30 s. They were
    /// dropped. Their callers are told that they were interrupted; those of idempotent methods go to another
    /// server instead.
    ///
    /// # Cancellation
    ///
    /// The shutdown goes on if this future is dropped.
    pub async fn shutdown(&self) -> Result<(), ServeError> {
        self.stop.cancel();
        self.join().await
    }

    /// Waits until the server has stopped, whoever stopped it. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`shutdown`](Self::shutdown).
    pub async fn join(&self) -> Result<(), ServeError> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        match ended {
            Ok(ended) => ended.clone().unwrap_or(Ok(())),
            // The task was dropped with its runtime.
            Err(_) => Err(ConnectError::Closed.into()),
        }
    }
}

/// Methods about to be served; await it to start.
///
/// The options apply to all of its methods.
#[derive(Debug)]
#[must_use = "nothing is served until this is awaited"]
pub struct Serve {
    rpc: Rpc,
    methods: Vec<Method>,
}

impl Serve {
    pub(crate) fn new(rpc: &Rpc, mut methods: Vec<Method>) -> Self {
        for method in &mut methods {
            method.name = rpc.prefixed(std::mem::take(&mut method.name));
        }
        Self {
            rpc: rpc.clone(),
            methods,
        }
    }

    /// Lets a call run again that a lost server may have run already.
    ///
    /// Without it the caller of such a call gets [`RpcError::Interrupted`](crate::RpcError::Interrupted). A call
    /// that took two servers with it runs no more; see [`dead_letter_queue`](Self::dead_letter_queue).
    /// Defaults to off.
    pub fn idempotent(self) -> Self {
        self.with(|method| method.options.idempotent = true)
    }

    /// Sets how many calls of each method this server runs at a time. More wait in the queue, where other
    /// servers can take them. It is also the prefetch of the queue; 0 counts as 1.
    ///
    /// Defaults to 256.
    pub fn concurrency(self, calls: u16) -> Self {
        self.with(|method| method.options.concurrency = calls.max(1))
    }

    /// Sets how the methods' queues are declared, which must equal what all other servers of the method
    /// declare.
    ///
    /// Defaults to [`QueueOptions::default`].
    pub fn queue(self, options: QueueOptions) -> Self {
        self.with(|method| method.options.queue = options.clone())
    }

    /// Keeps calls that no server survives, or can read, in a queue of this name, for somebody to look into.
    ///
    /// A call of an idempotent method goes to another server if its server is lost. One that took two servers
    /// with it goes to no third: its caller gets the [`RemoteError`](crate::RemoteError) `rpc.Poisoned`, and
    /// a copy of it is published to this queue, persistent, with its headers and the name of the method as
    /// the header `rpc-method`. A message that cannot be read, as its properties are not UTF-8, is rejected, and what
    /// can be shown of it is published here too, with the reason as the header `rpc-unreadable`. The queue is declared durable, with no limit; see to it that it is emptied.
    ///
    /// Defaults to none.
    pub fn dead_letter_queue(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|method| method.options.dead_letters = Some(name.clone()))
    }

    fn with(mut self, set: impl Fn(&mut Method)) -> Self {
        self.methods.iter_mut().for_each(set);
        self
    }
}

impl IntoFuture for Serve {
    type Output = Result<Server, ServeError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let stop = CancellationToken::new();
            let ended = self.rpc.servers().start(self.methods, stop.clone()).await?;
            Ok(Server {
                stop,
                ended,
                _rpc: self.rpc,
            })
        })
    }
}

/// How a server ended, once it has.
pub(crate) type Ended = watch::Receiver<Option<Result<(), ServeError>>>;
