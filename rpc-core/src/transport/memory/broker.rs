//! The public handle of a broker, and the registry in which the process finds it by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::state::BrokerState;

/// The broker behind `memory://name`, to inspect it and to make it fail.
///
/// Every `Rpc` of this process that connects to `memory://name` reaches the broker of that name.
/// The broker lives as long as an `Rpc` or a handle like this one refers to it. After that it is
/// dropped with all its queues. Cloning a handle is cheap.
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryBroker(pub(super) Arc<Broker>);

impl MemoryBroker {
    /// Returns the broker of that name. It is created if nothing in the process refers to it yet.
    pub fn named(name: &str) -> Self {
        Self(Broker::named(name))
    }

    /// Stops the broker, as if its node had died: all connections are lost, and no new ones can be
    /// made.
    ///
    /// Only durable queues that are not `auto_delete` survive, and they lose all calls, because
    /// calls are transient messages. Every call in flight ends with
    /// [`RpcError::ConnectionLost`](crate::RpcError::ConnectionLost), or is sent again if it is
    /// idempotent. Handlers that are running may finish, but their replies are lost.
    pub fn stop(&self) {
        self.0.lock().stop(Instant::now());
        self.0.gate.notify_waiters();
    }

    /// Starts the broker again after [`stop`](Self::stop), with the durable queues it had.
    ///
    /// Clients and servers reconnect by themselves. This has no effect on a running broker.
    pub fn start(&self) {
        self.0.lock().start();
    }

    /// Drops all connections, as if the network had failed. Clients and servers may reconnect at
    /// once.
    ///
    /// Every call in flight ends with
    /// [`RpcError::ConnectionLost`](crate::RpcError::ConnectionLost), or is sent again if it is
    /// idempotent. All queues survive, except those declared `auto_delete`. Calls that wait in a
    /// surviving queue stay there. Calls that a server had taken return to their place, marked as
    /// redelivered, but their callers are no longer there to receive the reply.
    pub fn drop_connections(&self) {
        let reason = "the broker dropped the connection";
        self.0.lock().disconnect_all(reason, Instant::now());
        self.0.gate.notify_waiters();
    }

    /// Accepts no new calls until [`unblock`](Self::unblock), as RabbitMQ does when it is short of
    /// memory or disk.
    ///
    /// A call made meanwhile ends with [`RpcError::Blocked`](crate::RpcError::Blocked), unless the
    /// broker is unblocked before its deadline. Calls in flight are not affected: servers take and
    /// answer them. The broker stays blocked across [`stop`](Self::stop) and
    /// [`start`](Self::start).
    pub fn block(&self, reason: impl Into<String>) {
        self.0.lock().block(Some(reason.into()));
    }

    /// Accepts calls again. Calls that were waiting are sent.
    pub fn unblock(&self) {
        self.0.lock().block(None);
        self.0.gate.notify_waiters();
    }

    /// Loses the next `count` replies. Their calls run, but time out.
    ///
    /// A batch of replies counts as one. If it matters how many calls are affected, make them one
    /// at a time or turn batching off with [`Batching::off`](crate::Batching::off).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use rpc_core::{MemoryBroker, Rpc, RpcError};
    /// # use serde_json::Value;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = MemoryBroker::named("lossy");
    /// let rpc = Rpc::connect("memory://lossy").await?;
    /// rpc.register("pay", |_: Value| async { Ok::<_, String>("paid") }).await?;
    /// broker.lose_replies(1);
    /// let error = rpc.call("pay", ()).timeout(Duration::from_millis(50)).await.unwrap_err();
    /// assert!(matches!(error, RpcError::Timeout { .. }));
    /// assert_eq!(rpc.call("pay", ()).await?, "paid");
    /// # Ok(()) }
    /// ```
    pub fn lose_replies(&self, count: usize) {
        self.0.lock().faults().lose = count;
    }

    /// Delivers the next `count` replies twice, as happens when a server is lost after it replied
    /// but before it acknowledged the call. A caller sees only the first reply.
    pub fn duplicate_replies(&self, count: usize) {
        self.0.lock().faults().duplicate = count;
    }

    /// Delays every reply by `delay`, until this is set to zero again. Replies keep their order.
    pub fn delay_replies(&self, delay: Duration) {
        self.0.lock().faults().delay = delay;
    }

    /// The number of ready messages in a queue, which are those that no server has taken yet.
    /// `None` if there is no queue of that name.
    ///
    /// The queue of a method has the method's name.
    #[must_use]
    pub fn queue_depth(&self, name: &str) -> Option<usize> {
        self.0.lock().queues().depth(name)
    }

    /// The names of all queues, sorted: those of methods, and the reply queues of callers.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        self.0.lock().queues().names()
    }
}

/// A broker, as its links see it.
pub(super) struct Broker {
    url: String,
    state: Mutex<BrokerState>,
    /// Notified when blocked publishers should try again.
    pub(super) gate: Notify,
    alarm_moved: Arc<Notify>,
}

impl Broker {
    /// The broker of that name, shared by everything in the process that names it.
    pub(super) fn named(name: &str) -> Arc<Self> {
        let mut brokers = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = brokers.get(name).and_then(Weak::upgrade) {
            return broker;
        }
        brokers.retain(|_, broker| broker.strong_count() > 0);
        let broker = Self::unnamed(format!("memory://{name}"));
        brokers.insert(name.to_owned(), Arc::downgrade(&broker));
        broker
    }

    /// A broker that nothing else can reach.
    pub(super) fn unnamed(url: String) -> Arc<Self> {
        let alarm_moved = Arc::new(Notify::new());
        Arc::new(Self {
            url,
            state: Mutex::new(BrokerState::new(Arc::clone(&alarm_moved))),
            gate: Notify::new(),
            alarm_moved,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The lock is held for one operation, never over an await. No code under it panics, so it
    /// cannot be poisoned.
    pub(super) fn lock(&self) -> MutexGuard<'_, BrokerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broker").field(&self.url).finish()
    }
}

/// Expires messages and queues when they are due, until the broker is gone or the task is aborted.
/// Each link runs one such task, because links may live on different runtimes and any of them may
/// be the last.
pub(super) fn keep_time(broker: &Arc<Broker>) -> impl Future<Output = ()> + Send + use<> {
    let alarm_moved = Arc::clone(&broker.alarm_moved);
    // The task must not keep the broker alive when nothing else refers to it.
    let broker = Arc::downgrade(broker);
    async move {
        loop {
            // Created before the alarms are checked, so that one set in between is not missed.
            let moved = alarm_moved.notified();
            let Some(next) = broker
                .upgrade()
                .map(|broker| broker.lock().ring(Instant::now()))
            else {
                return;
            };
            let latest = Instant::now() + MAX_SLEEP;
            drop(timeout_at(next.map_or(latest, |at| at.min(latest)), moved).await);
        }
    }
}

/// The task never sleeps longer than this. The bound is for speed: while this timer is set, the
/// timer of a new call is usually not the runtime's earliest. Setting the earliest timer wakes the
/// thread that waits for it, which would cost a system call for each call.
const MAX_SLEEP: Duration = Duration::from_secs(1);

static NAMED: Mutex<BTreeMap<String, Weak<Broker>>> = Mutex::new(BTreeMap::new());
