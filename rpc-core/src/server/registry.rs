//! All servers of one `Rpc`, and the connection they share.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OnceCell, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::connection::supervisor::{ConnectionState, Supervisor, session_by};
use crate::contract::method_options::FOREVER;
use crate::contract::service::Method;
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;
use crate::error::shorten::shorten;
use crate::server::session::ServeSession;
use crate::server::worker::{ServerLimits, Worker};
use crate::transport::{Purpose, Transport};
use crate::wire::batching::Batching;
use crate::wire::headers::{SHORT_STRING, longest_name};
use crate::wire::method_name;
use crate::wire::size_limit::SizeLimit;

/// Starts servers and shuts them down. The connection is opened for the first server.
#[derive(Debug)]
pub(crate) struct Registry {
    transport: Arc<dyn Transport>,
    limits: ServerLimits,
    connection: OnceCell<Supervisor<ServeSession>>,
    entries: Arc<Mutex<Entries>>,
}

/// How a server ended, once it has ended.
pub(crate) type Ended = watch::Receiver<Option<Result<(), ServeError>>>;

/// The method names in use, and the tasks of the servers.
#[derive(Debug, Default)]
struct Entries {
    names: HashSet<String>,
    next: u64,
    running: BTreeMap<u64, Running>,
    closed: bool,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    ended: Ended,
    _task: AbortOnDropHandle<()>,
}

impl Registry {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        message_size: SizeLimit,
        grace: Duration,
        batching: Batching,
    ) -> Self {
        Self {
            transport,
            limits: ServerLimits {
                message_size,
                grace: grace.min(FOREVER),
                batching,
            },
            connection: OnceCell::new(),
            entries: Arc::default(),
        }
    }

    /// Starts a server, which stops when the token is cancelled.
    pub(crate) async fn start(
        &self,
        methods: Vec<Method>,
        stop: CancellationToken,
    ) -> Result<Ended, ServeError> {
        methods.iter().try_for_each(check)?;
        let names = Names::take(&self.entries, &methods)?;
        let connection = self
            .connection
            .get_or_try_init(|| {
                Supervisor::start(Arc::clone(&self.transport), Purpose::Serving, ())
            })
            .await?;
        let mut state = connection.watch().clone();
        let limit = Instant::now() + UP_LIMIT;
        let worker = Worker::new(methods, self.limits.clone(), state.clone(), stop.clone());
        let mut session = up(&mut state, None, limit).await?;
        let first = loop {
            match worker.subscribe(&session.link).await {
                Ok(first) => break first,
                // The connection is lost, and its state did not show that yet.
                Err(ServeError::Connect(_)) => {
                    session = up(&mut state, Some(&session), limit).await?;
                }
                Err(refused) => return Err(refused),
            }
        };
        let (publish, ended) = watch::channel(None);
        let (admit, admitted) = oneshot::channel::<Registration>();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            // The entry must exist before the server can end, because the end removes it.
            let Ok(entry) = admitted.await else {
                return;
            };
            let result = worker.run(first).await;
            // Before the result is published: whoever waits for it may register the names again.
            drop(entry);
            publish.send_replace(Some(result));
        }));
        let running = Running {
            stop,
            ended: ended.clone(),
            _task: task,
        };
        // Sent outside of the lock: on a runtime that shuts down, nobody receives the entry, and
        // dropping it takes the lock.
        let admission = self.enter(names, running).map(|entry| admit.send(entry));
        match admission {
            Some(Ok(())) => Ok(ended),
            Some(Err(_)) => Err(ConnectError::Closed.into()),
            None => {
                // `close` may have run before there was a connection to close.
                connection.close().await;
                Err(ConnectError::Closed.into())
            }
        }
    }

    /// Adds a running server; `None` if the registry was closed meanwhile.
    fn enter(&self, names: Names, running: Running) -> Option<Registration> {
        let mut entries = lock(&self.entries);
        if entries.closed {
            drop(entries);
            return None;
        }
        let id = entries.next;
        entries.next += 1;
        entries.running.insert(id, running);
        Some(Registration { id, names })
    }

    /// Shuts all servers down, then closes the connection.
    pub(crate) async fn close(&self) {
        let mut ends = Vec::new();
        {
            let mut entries = lock(&self.entries);
            entries.closed = true;
            for running in entries.running.values() {
                running.stop.cancel();
                ends.push(running.ended.clone());
            }
        }
        // `wait_for` returns a lock, which must not be held until the other servers have ended.
        join_all(ends.iter_mut().map(|ended| async {
            drop(ended.wait_for(Option::is_some).await);
        }))
        .await;
        if let Some(connection) = self.connection.get() {
            connection.close().await;
        }
    }
}

/// Waits for a connection other than `not`.
async fn up(
    state: &mut watch::Receiver<ConnectionState<ServeSession>>,
    not: Option<&Arc<ServeSession>>,
    limit: Instant,
) -> Result<Arc<ServeSession>, ConnectError> {
    match session_by(state, not, limit).await {
        Ok(session) => Ok(session),
        Err(ConnectionState::Down(reason)) => {
            Err(ConnectError::unreachable("the broker", reason.words).caused_by(reason.source))
        }
        Err(ConnectionState::Up(lost)) => Err(ConnectError::unreachable(
            lost.link.host(),
            "it takes no channels",
        )),
        Err(ConnectionState::Closed) => Err(ConnectError::Closed),
    }
}

/// Refuses what the broker would refuse without saying where it came from, and what lapin would
/// cut.
fn check(method: &Method) -> Result<(), ServeError> {
    let name = &*method.name;
    method_name::check(name)
        .map_err(|bad| ServeError::method_name(shorten(name), bad.to_string()))?;
    let longest = longest_name(&method.options.queue.arguments);
    if longest > SHORT_STRING {
        let reason =
            format!("an argument's name is {longest} bytes, and AMQP allows {SHORT_STRING}");
        return Err(ServeError::queue_options(name, reason));
    }
    Ok(())
}

/// The method names of one server. Dropping it frees them.
#[derive(Debug)]
struct Names {
    names: Vec<String>,
    // Weak, because the registry owns the tasks that own the names.
    entries: Weak<Mutex<Entries>>,
}

impl Names {
    fn take(entries: &Arc<Mutex<Entries>>, methods: &[Method]) -> Result<Self, ServeError> {
        let mut taken = Self {
            names: Vec::with_capacity(methods.len()),
            entries: Arc::downgrade(entries),
        };
        if lock(entries).closed {
            return Err(ConnectError::Closed.into());
        }
        for method in methods {
            let name = method.name.clone().into_owned();
            if !lock(entries).names.insert(name.clone()) {
                return Err(ServeError::already_registered(name));
            }
            taken.names.push(name);
        }
        Ok(taken)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        if let Some(entries) = self.entries.upgrade() {
            let mut entries = lock(&entries);
            for name in &self.names {
                entries.names.remove(name);
            }
        }
    }
}

/// A server's entry in the registry. Dropping it at the server's end removes the entry.
#[derive(Debug)]
struct Registration {
    id: u64,
    names: Names,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(entries) = self.names.entries.upgrade() {
            // Dropped outside of the lock. This aborts the very task that runs this code, which has
            // no await left to be stopped at.
            let running = lock(&entries).running.remove(&self.id);
            drop(running);
        }
    }
}

fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a new server waits for a lost connection to come back.
const UP_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
