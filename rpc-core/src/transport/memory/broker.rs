//! The broker as its owner sees it, and how the process finds it by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::state::BrokerState;

/// The broker behind `memory://name`, to look into it and to make it fail.
///
/// Every `Rpc` of this process that connects to `memory://name` reaches the broker of that name. It
/// lives as long as a handle like this one, or an `Rpc`, refers to it; then it is forgotten with all
/// its queues. A handle is a cheap clone.
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryBroker(pub(super) Arc<Broker>);

impl MemoryBroker {
    /// The broker of that name, which is created if nothing in the process refers to it yet.
    pub fn named(name: &str) -> Self {
        Self(Broker::named(name))
    }

    /// Stops the broker, as if its node had died: all connections are lost, and none can be made.
    ///
    /// Only durable queues that are not `auto_delete` stay, and they lose all calls, since those are
    /// transient. Every call in flight ends with
    /// [`RpcError::ConnectionLost`](crate::RpcError::ConnectionLost), or is sent again if it is idempotent; handlers that run may go on, but
    /// their answers reach nobody.
    pub fn stop(&self) {
        self.0.lock().stop(Instant::now());
        self.0.gate.notify_waiters();
    }

    /// Starts the broker again after [`stop`](Self::stop), with the durable queues it had.
    ///
    /// Clients and servers reconnect by themselves. It has no effect on a broker that runs.
    pub fn start(&self) {
        self.0.lock().start();
    }

    /// Loses all connections, as if the network had failed. Clients and servers may reconnect at once.
    ///
    /// Every call in flight ends with
    /// [`RpcError::ConnectionLost`](crate::RpcError::ConnectionLost), or is sent again if it is idempotent. Queues stay, but those declared
    /// `auto_delete`. Calls that wait in them stay too, and calls that a server had taken return to
    /// their place, marked as redelivered; their callers are no longer there to see the answer.
    pub fn drop_connections(&self) {
        let reason = "the broker dropped the connection";
        self.0.lock().disconnect_all(reason, Instant::now());
        self.0.gate.notify_waiters();
    }

    /// Accepts no new calls until [`unblock`](Self::unblock), as RabbitMQ does when it is short of
    /// memory or disk.
    ///
    /// A call made meanwhile ends with [`RpcError::Blocked`](crate::RpcError::Blocked) unless it can
    /// still be sent before its deadline. Calls in flight go on: servers take and answer them. It
    /// outlives [`stop`](Self::stop).
    pub fn block(&self, reason: impl Into<String>) {
        self.0.lock().block(Some(reason.into()));
    }

    /// Accepts calls again; those that wait for it are sent.
    pub fn unblock(&self) {
        self.0.lock().block(None);
        self.0.gate.notify_waiters();
    }

    /// Loses the next so many replies: their calls time out, though they ran. Replies that travel together in a batch count as
    /// one; where it matters how many calls are hit, make them one by one or with
    /// [`Batching::off`](crate::Batching::off).
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

    /// Delivers the next so many replies twice, as happens where a server answers and is lost before it can
    /// say that it is done. A caller sees the first only.
    pub fn duplicate_replies(&self, count: usize) {
        self.0.lock().faults().duplicate = count;
    }

    /// Makes every reply take so much longer, until it is set to zero again. They keep their order.
    pub fn delay_replies(&self, delay: Duration) {
        self.0.lock().faults().delay = delay;
    }

    /// How many messages are ready in a queue: those that no server has taken yet. `None` if there is
    /// no queue of that name.
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

/// What links refer to.
pub(super) struct Broker {
    url: String,
    state: Mutex<BrokerState>,
    /// Notified when a publisher that was held up has to look again.
    pub(super) gate: Notify,
    alarm_moved: Arc<Notify>,
}

impl Broker {
    /// The broker of that name, shared with all who name it.
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

    /// A broker that nobody else can reach.
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

    /// The lock is held for one operation, never over an await. Nothing panics under it, so it cannot
    /// be poisoned.
    pub(super) fn lock(&self) -> MutexGuard<'_, BrokerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broker").field(&self.url).finish()
    }
}

/// Lets messages expire that nobody asks for, until the broker is gone or the task is aborted. Each
/// link runs one, for links may live on different runtimes and any of them may be the last.
pub(super) fn keep_time(broker: &Arc<Broker>) -> impl Future<Output = ()> + Send + use<> {
    let alarm_moved = Arc::clone(&broker.alarm_moved);
    // The task must not keep a broker alive that nothing else refers to.
    let broker = Arc::downgrade(broker);
    async move {
        loop {
            // Before the look at the alarms, so that one set meanwhile is not missed.
            let moved = alarm_moved.notified();
            let Some(next) = broker
                .upgrade()
                .map(|broker| broker.lock().ring(Instant::now()))
            else {
                return;
            };
            let look = Instant::now() + REGULARLY;
            drop(timeout_at(next.map_or(look, |at| at.min(look)), moved).await);
        }
    }
}

/// While this timer stands, those of calls are not the runtime's next. To set one that is wakes the thread that waits for
/// it, by a system call for each call.
const REGULARLY: Duration = Duration::from_secs(1);

static NAMED: Mutex<BTreeMap<String, Weak<Broker>>> = Mutex::new(BTreeMap::new());
