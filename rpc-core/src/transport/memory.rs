//! An in-process broker for tests and examples. As far as calls need it, it behaves like RabbitMQ
//! with classic queues. The conformance suite holds both to the same behaviour.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::broker::{Broker, keep_time};
use self::channel::MemoryConnection;
use self::confirms::Confirms;
use super::{ConfirmChannel, Link, Loss, OpenCalls, Purpose, QueueProbe, ServeChannel, Transport};
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;

pub use self::broker::MemoryBroker;

mod alarms;
mod arguments;
mod broker;
mod channel;
mod confirms;
mod consumers;
mod faults;
mod queue;
mod queues;
mod replies;
mod state;
#[cfg(test)]
mod tests;

/// `memory://name`, or `memory://` for a broker that is not shared. Keeps its broker alive.
#[derive(Debug)]
pub(crate) struct MemoryTransport {
    broker: Arc<Broker>,
}

impl MemoryTransport {
    pub(crate) fn from_url(url: &str) -> Result<Self, ConnectError> {
        let name = url.strip_prefix(SCHEME).unwrap_or(url);
        if let Some(unfit) = name.chars().find(|c| "/?#@".contains(*c)) {
            // What stands before an `@` may be a password, so it is not shown.
            let shown = name.rsplit('@').next().unwrap_or_default();
            let reason = format!("only a name may follow `{SCHEME}`, without `{unfit}`");
            return Err(ConnectError::invalid_url(
                format!("{SCHEME}{shown}"),
                reason,
            ));
        }
        let broker = match name {
            "" => Broker::unnamed(SCHEME.to_owned()),
            name => Broker::named(name),
        };
        Ok(Self { broker })
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn hosts(&self) -> usize {
        1
    }

    async fn connect(&self, _: usize, _: Purpose) -> Result<Arc<dyn Link>, ConnectError> {
        let unreachable = |reason| ConnectError::unreachable(self.broker.url(), reason);
        let runtime =
            Handle::try_current().map_err(|_| unreachable("there is no Tokio runtime"))?;
        let (sender, loss) = watch::channel(None);
        let Some(id) = self.broker.lock().connect(sender) else {
            return Err(unreachable("the broker is stopped"));
        };
        let connection = MemoryConnection {
            broker: Arc::clone(&self.broker),
            id,
            loss,
        };
        let janitor = runtime.spawn(keep_time(&self.broker));
        Ok(Arc::new(MemoryLink {
            connection,
            janitor,
        }))
    }
}

/// A connection to an in-process broker. Dropping it closes it.
#[derive(Debug)]
struct MemoryLink {
    connection: MemoryConnection,
    janitor: JoinHandle<()>,
}

impl MemoryLink {
    fn end(&self, reason: &str) {
        let MemoryConnection { broker, id, .. } = &self.connection;
        broker.lock().disconnect(&[*id], reason, Instant::now());
        broker.gate.notify_waiters();
        self.janitor.abort();
    }
}

#[async_trait]
impl Link for MemoryLink {
    fn host(&self) -> &str {
        self.connection.broker.url()
    }

    /// An in-process broker has no users.
    fn user_id(&self) -> Option<&str> {
        None
    }

    async fn lost(&self) -> Loss {
        let mut loss = self.connection.loss.clone();
        let lost = loss.wait_for(Option::is_some).await;
        let reason = lost.ok().and_then(|loss| loss.clone());
        reason.unwrap_or_else(|| Loss("the connection is closed".into()))
    }

    fn blocked(&self) -> Option<String> {
        self.connection.broker.lock().blocked().map(str::to_owned)
    }

    async fn unblocked(&self) {
        loop {
            // Created before the check, so that a gate opened in between is not missed.
            let opened = self.connection.broker.gate.notified();
            if self.blocked().is_none() {
                return;
            }
            opened.await;
        }
    }

    async fn call_channel(&self) -> Result<OpenCalls, ConnectError> {
        self.connection.open_calls()
    }

    fn confirm_channel(&self) -> Box<dyn ConfirmChannel> {
        Box::new(Confirms(self.connection.clone()))
    }

    async fn serve_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError> {
        self.connection.open_channel()
    }

    fn queue_probe(&self) -> Box<dyn QueueProbe> {
        Box::new(self.connection.clone())
    }

    async fn close(&self) {
        self.end("the connection was closed");
    }
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        self.end("the connection was dropped");
    }
}

const SCHEME: &str = "memory://";
