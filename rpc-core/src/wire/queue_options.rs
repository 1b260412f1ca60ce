//! How the queue of a method is declared.

use std::collections::BTreeMap;

use serde_json::Value;

/// How the queue of a method is declared.
///
/// All servers of a method, in whatever language, must declare its queue alike: RabbitMQ refuses a
/// declaration that differs from the existing queue (406 PRECONDITION_FAILED). A queue that
/// aio-pika registers with its defaults is `QueueOptions::default().durable(false)`.
///
/// The argument `x-dead-letter-exchange: rpc.dlx` is always set. It returns expired and rejected
/// calls to their callers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct QueueOptions {
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) arguments: BTreeMap<String, Value>,
}

impl QueueOptions {
    /// Sets whether the queue survives a restart of the broker. The calls in it do not, because
    /// they are transient.
    ///
    /// Defaults to `true`: queues that are neither durable nor exclusive are a deprecated feature
    /// of RabbitMQ (`transient_nonexcl_queues`), and a broker may be configured to refuse them.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets whether the broker deletes the queue when its last server leaves. Calls that wait in
    /// it, or that the server hands back while it shuts down, then vanish and are not returned, so
    /// their callers time out.
    ///
    /// Defaults to `false`.
    pub fn auto_delete(mut self, auto_delete: bool) -> Self {
        self.auto_delete = auto_delete;
        self
    }

    /// Makes this a quorum queue, which is replicated over the nodes of a cluster. Calls still work
    /// after nodes are lost, as long as a majority remains. A quorum queue is always durable, and
    /// each call costs more.
    ///
    /// A quorum queue silently drops unconfirmed calls while it elects a leader. Clients of a trait
    /// that declares a quorum queue confirm their calls automatically. Other callers must ask for
    /// it with [`Call::confirmed`](crate::Call::confirmed).
    ///
    /// RabbitMQ marks some calls as redelivered although no server has received them: those on
    /// their way to a server that stops, and some when a node comes back. If their method is not
    /// idempotent, they end with [`RpcError::Interrupted`](crate::RpcError::Interrupted), although
    /// they did not run.
    ///
    /// Servers in other languages must declare the queue with the argument `x-queue-type: quorum`.
    pub fn quorum(mut self) -> Self {
        self.arguments.insert(QUEUE_TYPE.into(), QUORUM.into());
        self.durable = true;
        self.choose_overflow();
        self
    }

    /// Sets how many calls may wait in the queue. When one more arrives, a call ends with
    /// [`RpcError::Overloaded`](crate::RpcError::Overloaded) at once: the new call, or, in a quorum
    /// queue, which cannot refuse it, the oldest.
    ///
    /// This sets the argument `x-max-length` and, unless it is a quorum queue,
    /// `x-overflow: reject-publish-dlx`.
    ///
    /// Defaults to no limit except the broker's memory.
    pub fn max_length(mut self, calls: u32) -> Self {
        self.arguments.insert(MAX_LENGTH.into(), calls.into());
        self.choose_overflow();
        self
    }

    pub(crate) fn is_quorum(&self) -> bool {
        (self.arguments.get(QUEUE_TYPE)).is_some_and(|value| value == QUORUM)
    }

    /// Whether a full queue returns a new call to its caller.
    pub(crate) fn bounces_new(&self) -> bool {
        (self.arguments.get(OVERFLOW)).is_some_and(|value| value == REFUSE_NEW)
    }

    fn choose_overflow(&mut self) {
        let quorum = self.is_quorum();
        if quorum && self.bounces_new() {
            self.arguments.remove(OVERFLOW);
        } else if !quorum && self.arguments.contains_key(MAX_LENGTH) {
            let overflow = self.arguments.entry(OVERFLOW.into());
            overflow.or_insert_with(|| REFUSE_NEW.into());
        }
    }

    /// Sets an argument of the declaration, such as `x-max-length`, `x-max-priority` or
    /// `x-queue-type`.
    ///
    /// Defaults to none. `x-dead-letter-exchange` cannot be changed; setting it has no effect.
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }
}

const QUEUE_TYPE: &str = "x-queue-type";
const QUORUM: &str = "quorum";
const MAX_LENGTH: &str = "x-max-length";
const OVERFLOW: &str = "x-overflow";

/// A full queue returns the new call. Quorum queues do not support this.
const REFUSE_NEW: &str = "reject-publish-dlx";

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            durable: true,
            auto_delete: false,
            arguments: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_full_queue_refuses_the_new_call_where_it_can() {
        let classic = QueueOptions::default().max_length(9);
        assert_eq!(classic.arguments.get(OVERFLOW), Some(&json!(REFUSE_NEW)));
        let one = QueueOptions::default().max_length(9).quorum();
        let other = QueueOptions::default()
            .durable(false)
            .quorum()
            .max_length(9);
        assert_eq!(one, other);
        assert_eq!(one.arguments.get(OVERFLOW), None);
        assert_eq!(one.arguments.get(MAX_LENGTH), Some(&json!(9)));
        assert!(one.durable);
        let own = QueueOptions::default()
            .argument(OVERFLOW, "drop-head")
            .max_length(9);
        assert_eq!(own.arguments.get(OVERFLOW), Some(&json!("drop-head")));
    }
}
