use std::sync::LazyLock;
use std::time::Duration;

use rpc_core::__internals::Wire;
use rpc_core::{Method, Service, rpc_service};

/// The properties of a message, and its body behind them.
///
/// A message that is sent on, as a server does with the copy of a call, is the same where it arrives.
pub fn properties(data: &[u8]) {
    let Some(message) = Wire::parse(data) else {
        return;
    };
    let forwarded = message.forward();
    assert_eq!(forwarded.body(), message.body());
    // AMQP has more kinds of numbers than JSON, but once it is one that JSON has, it stays.
    assert_eq!(forwarded.forward(), forwarded);
    // A byte of a byte array becomes a number of JSON.
    assert!(message.headers_size() <= 9 * data.len() + 4);
    arrives(&message);
}

/// What a server reads in the headers of a call: whether it may run, and how long.
pub(crate) fn arrives(call: &Wire) {
    let [once, idempotent] = &*METHODS;
    assert!(!call.arrive(once, true).runs);
    for method in [once, idempotent] {
        for redelivered in [false, true] {
            let arrival = call.arrive(method, redelivered);
            if let Some(left) = arrival.left {
                // By a moment more than it was when it arrived.
                assert!(Some(left) <= arrival.limit, "{arrival:?}");
            } else if let Some(limit) = arrival.limit {
                assert!(limit > Duration::from_secs(1_000_000_000), "{arrival:?}");
            }
        }
    }
}

#[rpc_service]
trait Work {
    async fn once(&self);
    #[rpc(idempotent)]
    async fn again(&self);
}

struct Worker;

impl Work for Worker {
    async fn once(&self) {}
    async fn again(&self) {}
}

static METHODS: LazyLock<[Method; 2]> = LazyLock::new(|| {
    let methods = WorkServer::new(Worker).into_methods();
    methods.try_into().expect("it has two methods")
});
