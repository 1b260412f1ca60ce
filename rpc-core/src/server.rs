//! Servers as their users see them, and the connection they share.

use std::collections::{BTreeMap, HashSet};
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connect_error::ConnectError;
use crate::error::shorten;
use crate::message::SHORT_STRING;
use crate::options::QueueOptions;
use crate::rpc::Rpc;
use crate::serve_error::ServeError;
use crate::service::Method;
use crate::supervisor::{OwnedTask, State, Supervisor};
use crate::transport::{Purpose, Transport};
use crate::worker::{ServeSession, Worker};

/// Methods that are being served.
///
/// Dropping it does not stop the server: that goes on until [`shutdown`](Self::shutdown), until
/// [`Rpc::close`], or until the last clone of its [`Rpc`] and every `Server` of it are dropped.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    ended: watch::Receiver<Option<Result<(), ServeError>>>,
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
    /// dropped, and their callers are told that they were interrupted.
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
    pub(crate) fn new(rpc: &Rpc, methods: Vec<Method>) -> Self {
        Self {
            rpc: rpc.clone(),
            methods,
        }
    }

    /// Lets a call run again that a lost server may have run already.
    ///
    /// Without it the caller of such a call gets [`RpcError::Interrupted`](crate::RpcError::Interrupted).
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

    fn with(mut self, set: impl Fn(&mut Method)) -> Self {
        self.methods.iter_mut().for_each(set);
        self
    }
}

impl IntoFuture for Serve {
    type Output = Result<Server, ServeError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Servers::start(&self.rpc, self.methods).await })
    }
}

/// All servers of one `Rpc` and the connection they share, which is made for the first of them.
#[derive(Debug)]
pub(crate) struct Servers {
    transport: Arc<dyn Transport>,
    message_size: usize,
    grace: Duration,
    connection: OnceCell<Supervisor<ServeSession>>,
    registry: Arc<Mutex<Registry>>,
}

/// Which methods are taken, and the tasks behind the servers.
#[derive(Debug, Default)]
struct Registry {
    names: HashSet<String>,
    next: u64,
    running: BTreeMap<u64, Running>,
    closed: bool,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    ended: watch::Receiver<Option<Result<(), ServeError>>>,
    _task: OwnedTask,
}

impl Servers {
    pub(crate) fn new(transport: Arc<dyn Transport>, message_size: usize, grace: Duration) -> Self {
        Self {
            transport,
            message_size,
            grace,
            connection: OnceCell::new(),
            registry: Arc::default(),
        }
    }

    async fn start(rpc: &Rpc, methods: Vec<Method>) -> Result<Server, ServeError> {
        let servers = rpc.servers();
        let names = Names::take(&servers.registry, &methods)?;
        let connection = servers
            .connection
            .get_or_try_init(|| Supervisor::start(Arc::clone(&servers.transport), Purpose::Serving))
            .await?;
        let stop = CancellationToken::new();
        let worker = Worker {
            methods: methods.into_iter().map(Arc::new).collect(),
            message_size: servers.message_size,
            grace: servers.grace,
            state: connection.watch(),
            stop: stop.clone(),
            calls: JoinSet::new(),
        };
        let session = match worker.state.borrow().clone() {
            State::Up(session) => session,
            State::Down(reason) => {
                return Err(ConnectError::Unreachable {
                    host: "the broker".into(),
                    reason,
                }
                .into());
            }
            State::Closed => return Err(ConnectError::Closed.into()),
        };
        let first = worker.subscribe(&session.link).await?;
        let (publish, ended) = watch::channel(None);
        // The task waits for its entry, so that its end cannot come before it.
        let mut registry = lock(&servers.registry);
        if registry.closed {
            return Err(ConnectError::Closed.into());
        }
        let id = registry.next;
        registry.next += 1;
        let entry = Entry { id, names };
        let task = OwnedTask(tokio::spawn(async move {
            let result = worker.run(first).await;
            publish.send_replace(Some(result));
            drop(entry);
        }));
        registry.running.insert(
            id,
            Running {
                stop: stop.clone(),
                ended: ended.clone(),
                _task: task,
            },
        );
        drop(registry);
        Ok(Server {
            stop,
            ended,
            _rpc: rpc.clone(),
        })
    }

    /// Shuts all servers down, then closes the connection.
    pub(crate) async fn close(&self) {
        let mut ends = Vec::new();
        {
            let mut registry = lock(&self.registry);
            registry.closed = true;
            for running in registry.running.values() {
                running.stop.cancel();
                ends.push(running.ended.clone());
            }
        }
        join_all(ends.iter_mut().map(|ended| ended.wait_for(Option::is_some))).await;
        if let Some(connection) = self.connection.get() {
            connection.close().await;
        }
    }
}

/// The names of one server, free again when it is dropped.
struct Names {
    names: Vec<String>,
    // Weak, since the registry owns the tasks that own the names.
    registry: Weak<Mutex<Registry>>,
}

impl Names {
    fn take(registry: &Arc<Mutex<Registry>>, methods: &[Method]) -> Result<Self, ServeError> {
        let mut taken = Self {
            names: Vec::with_capacity(methods.len()),
            registry: Arc::downgrade(registry),
        };
        for method in methods {
            let name = &*method.name;
            let refuse = |reason: String| {
                Err(ServeError::MethodName {
                    method: shorten(name),
                    reason,
                })
            };
            if name.is_empty() {
                return refuse("the name is empty".into());
            }
            if name.len() > SHORT_STRING {
                let length = name.len();
                return refuse(format!(
                    "the name is {length} bytes, and AMQP allows {SHORT_STRING}"
                ));
            }
            if name.starts_with("amq.") {
                return refuse("RabbitMQ keeps names that start with `amq.` to itself".into());
            }
            if !lock(registry).names.insert(name.to_owned()) {
                return Err(ServeError::AlreadyRegistered {
                    method: name.to_owned(),
                });
            }
            taken.names.push(name.to_owned());
        }
        Ok(taken)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            let mut registry = lock(&registry);
            for name in &self.names {
                registry.names.remove(name);
            }
        }
    }
}

/// A server's place in the registry, which it leaves at its end.
struct Entry {
    id: u64,
    names: Names,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(registry) = self.names.registry.upgrade() {
            // Dropped outside of the lock. It aborts the very task that runs this, which has no await
            // left to be stopped at.
            let running = lock(&registry).running.remove(&self.id);
            drop(running);
        }
    }
}

fn lock(registry: &Mutex<Registry>) -> MutexGuard<'_, Registry> {
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}
