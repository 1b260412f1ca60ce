//! Where a test runs: on `memory://` or on a real RabbitMQ.

use rpc_core::{Batching, ConnectError, MemoryBroker, Rpc, RpcBuilder, RpcError};
use rpc_tests::{RawPeer, TcpRelay, Vhost, fresh_vhost};
pub(crate) use rpc_tests::{eventually, port_of};
use uuid::Uuid;

use crate::probe::{METHODS, Probe, ProbeServer, Real};

/// As [`Rpc::connect`], for all tests but those of what it does by default.
pub(crate) async fn connect(url: impl AsRef<str>) -> Result<Rpc, ConnectError> {
    builder(url).connect().await
}

/// As [`Rpc::builder`], with calls in batches or not as the variable `RPC_TESTS_BATCHING` says: `off`, `auto`, which
/// is the default, or `always`.
pub(crate) fn builder(url: impl AsRef<str>) -> RpcBuilder {
    let builder = Rpc::builder(url);
    match std::env::var(BATCHING).as_deref() {
        Ok("off") => builder.batching(Batching::off()),
        Ok(ALWAYS) => builder.batching(Batching::always()),
        Ok("auto") | Err(_) => builder,
        Ok(other) => panic!("{BATCHING} is `{other}`: it is off, auto or always"),
    }
}

/// Whether each call of [`connect`] travels in a batch.
pub(crate) fn always_in_batches() -> bool {
    std::env::var(BATCHING).as_deref() == Ok(ALWAYS)
}

const BATCHING: &str = "RPC_TESTS_BATCHING";
const ALWAYS: &str = "always";

/// An empty broker for one test.
pub(crate) struct Site {
    url: String,
    vhost: Option<Vhost>,
    memory: Option<MemoryBroker>,
}

impl Site {
    pub(crate) async fn memory() -> Self {
        let name = Uuid::new_v4().to_string();
        Self {
            url: format!("memory://{name}"),
            vhost: None,
            memory: Some(MemoryBroker::named(&name)),
        }
    }

    pub(crate) async fn rabbitmq() -> Self {
        let vhost = fresh_vhost().await;
        let site = Self {
            url: vhost.url().to_owned(),
            vhost: Some(vhost),
            memory: None,
        };
        site.uses(METHODS).await;
        site
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of the virtual host, for rabbitmqctl.
    pub(crate) fn vhost_name(&self) -> &str {
        self.vhost.as_ref().map_or("/", Vhost::name)
    }

    pub(crate) async fn rpc(&self) -> Rpc {
        connect(&self.url).await.unwrap()
    }

    /// Two handles, as of two processes; the second serves [`Probe`].
    pub(crate) async fn client_and_server(&self) -> (Rpc, Rpc) {
        let (client, server) = (self.rpc().await, self.rpc().await);
        serve(&server, Real).await;
        (client, server)
    }

    /// The names of further queues that a test leaves behind.
    pub(crate) async fn uses(&self, queues: &[&str]) {
        if let Some(vhost) = &self.vhost {
            vhost.uses(queues).await;
            // Servers of ours declare these beside them.
            let lanes: Vec<_> = queues
                .iter()
                .map(|queue| format!("rpc.lane.{queue}"))
                .collect();
            let lanes: Vec<_> = lanes.iter().map(String::as_str).collect();
            vhost.uses(&lanes).await;
        }
    }

    /// Waits until so many servers take batches of a method, where all calls travel in such.
    pub(crate) async fn lanes(&self, method: &str, count: u32) {
        if always_in_batches() {
            self.open_lanes(method, count).await;
        }
    }

    /// Waits until so many servers take batches of a method: a server starts before it does.
    pub(crate) async fn open_lanes(&self, method: &str, count: u32) {
        let lane = &format!("rpc.lane.{method}");
        eventually("the lanes are open", || async {
            match &self.memory {
                // It opens them at once.
                Some(broker) => broker.queue_depth(lane).is_some(),
                None => {
                    let peer = RawPeer::connect(&self.url).await.unwrap();
                    peer.counts(lane)
                        .await
                        .is_ok_and(|(_, servers)| servers == count)
                }
            }
        })
        .await;
    }

    /// How many messages wait in a queue that exists, and in its lane if it has one, without those that a server has
    /// taken.
    pub(crate) async fn depth(&self, queue: &str) -> usize {
        let lane = format!("rpc.lane.{queue}");
        match &self.memory {
            Some(broker) => {
                broker.queue_depth(queue).unwrap() + broker.queue_depth(&lane).unwrap_or_default()
            }
            None => {
                let peer = RawPeer::connect(&self.url).await.unwrap();
                let (ready, _) = peer.counts(queue).await.unwrap();
                // Closes the channel if there is no lane.
                let (in_lane, _) = peer.counts(&lane).await.unwrap_or_default();
                usize::try_from(ready + in_lane).unwrap()
            }
        }
    }
}

/// A way to a site that can be cut.
pub(crate) enum Line {
    /// On `memory://` all connections go together.
    Memory(MemoryBroker),
    Relay(TcpRelay),
}

impl Line {
    pub(crate) async fn to(site: &Site) -> Self {
        match &site.memory {
            Some(broker) => Self::Memory(broker.clone()),
            None => Self::Relay(TcpRelay::start(port_of(&site.url)).await.unwrap()),
        }
    }

    pub(crate) fn url(&self, site: &Site) -> String {
        match self {
            Self::Memory(_) => site.url.clone(),
            Self::Relay(relay) => relay.url(&site.url),
        }
    }

    pub(crate) async fn cut(&self) {
        match self {
            Self::Memory(broker) => broker.drop_connections(),
            Self::Relay(relay) => relay.cut().await.unwrap(),
        }
    }
}

pub(crate) async fn serve(rpc: &Rpc, service: impl Probe) -> rpc_core::Server {
    rpc.serve(ProbeServer::new(service)).await.unwrap()
}

/// A call ended with its connection, and may have run.
pub(crate) fn assert_lost(error: &RpcError) {
    assert!(
        matches!(error, RpcError::ConnectionLost { sent: true, .. }),
        "{error:?}"
    );
}

/// Makes each test two: one on `memory://`, one on RabbitMQ.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($site:ident) $body:block)*) => {
        $( $(#[doc = $doc])* async fn $name($site: &crate::site::Site) $body )*

        mod memory {
            $( #[tokio::test] async fn $name() { super::$name(&crate::site::Site::memory().await).await } )*
        }

        mod rabbitmq {
            $( #[tokio::test] async fn $name() { super::$name(&crate::site::Site::rabbitmq().await).await } )*
        }
    };
}
pub(crate) use on_both;
