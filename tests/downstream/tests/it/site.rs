//! Where a test runs: on `memory://` or on a real RabbitMQ.

use std::time::Duration;

use rpc_downstream::wire::{MemoryBroker, Rpc, ServiceDescriptor};
use rpc_tests::{RawPeer, Vhost, fresh_vhost};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// An empty broker for one test.
pub(crate) struct Site {
    url: String,
    broker: Broker,
}

enum Broker {
    Memory(MemoryBroker),
    RabbitMq(Vhost),
}

impl Site {
    pub(crate) fn memory() -> Self {
        let name = Uuid::new_v4().to_string();
        Self {
            url: format!("memory://{name}"),
            broker: Broker::Memory(MemoryBroker::named(&name)),
        }
    }

    pub(crate) async fn rabbitmq() -> Self {
        let vhost = fresh_vhost().await;
        Self {
            url: vhost.url().to_owned(),
            broker: Broker::RabbitMq(vhost),
        }
    }

    /// A handle, as of a process of its own.
    pub(crate) async fn rpc(&self) -> Rpc {
        Rpc::connect(&self.url).await.unwrap()
    }

    /// Two handles; the second is to serve what this is the descriptor of.
    pub(crate) async fn client_and_server(&self, service: &ServiceDescriptor) -> (Rpc, Rpc) {
        self.uses("", service).await;
        (self.rpc().await, self.rpc().await)
    }

    /// Names a service whose queues the test leaves behind.
    pub(crate) async fn uses(&self, prefix: &str, service: &ServiceDescriptor) {
        if let Broker::RabbitMq(vhost) = &self.broker {
            let names = service.methods.iter().map(|method| method.name);
            let queues: Vec<_> = names.map(|name| format!("{prefix}{name}")).collect();
            let queues: Vec<_> = queues.iter().map(String::as_str).collect();
            vhost.uses(&queues).await;
        }
    }

    /// How many calls wait in a queue that exists, without those that a server has taken.
    pub(crate) async fn depth(&self, queue: &str) -> usize {
        match &self.broker {
            Broker::Memory(broker) => broker.queue_depth(queue).unwrap(),
            Broker::RabbitMq(_) => {
                let peer = RawPeer::connect(&self.url).await.unwrap();
                let (ready, _) = peer.counts(queue).await.unwrap();
                usize::try_from(ready).unwrap()
            }
        }
    }
}

/// Waits until something becomes true; a test that would wait for ever fails here.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < end, "still not true: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Makes each test two: one on `memory://`, one on RabbitMQ.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($site:ident) $body:block)*) => {
        $( $(#[doc = $doc])* async fn $name($site: &crate::site::Site) $body )*

        mod memory {
            $( #[tokio::test] async fn $name() { super::$name(&crate::site::Site::memory()).await; } )*
        }

        mod rabbitmq {
            $( #[tokio::test] async fn $name() { super::$name(&crate::site::Site::rabbitmq().await).await; } )*
        }
    };
}
pub(crate) use on_both;
