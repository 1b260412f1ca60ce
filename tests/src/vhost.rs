//! A virtual host for each test, all on one node.

use std::collections::BTreeSet;
use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lapin::options::QueueDeleteOptions;
use lapin::{Connection, ConnectionProperties};
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, OnceCell};
use tokio::time::timeout;

use crate::node::RabbitNode;

// One call of rabbitmqctl costs as much as dozens of virtual hosts (measured: 0.4-0.7 s, and 10-35
// ms for each virtual host), so they are made in batches; not all at the start, since most runs are
// of one test.
const BATCH: usize = 32;
const DELETE: Duration = Duration::from_secs(10);

static SHARED: OnceCell<Result<SharedNode, String>> = OnceCell::const_new();
// The tests of a process take turns on a broker that is not theirs.
static TURN: AsyncMutex<()> = AsyncMutex::const_new(());

/// The broker that all tests of a process share: `$RABBITMQ_URL` if that is set, else a private
/// node.
///
/// Not for tests that kill or pause it: those start a [`RabbitNode`] of their own.
#[derive(Debug)]
pub struct SharedNode {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Private {
        node: Box<RabbitNode>,
        spare: AsyncMutex<Spare>,
    },
    External {
        url: String,
    },
}

#[derive(Debug, Default)]
struct Spare {
    vhosts: Vec<String>,
    made: usize,
}

/// The broker of this process, which is started by the first call and ends with the process.
///
/// # Panics
/// If there is no RabbitMQ or it does not start, with the reason; at every call then.
pub async fn shared_node() -> &'static SharedNode {
    let shared = SHARED.get_or_init(|| async {
        SharedNode::start()
            .await
            .map_err(|error| format!("{error:?}"))
    });
    match shared.await {
        Ok(node) => node,
        Err(reason) => panic!("{reason}"),
    }
}

/// An empty virtual host for one test. Queues are named after methods, so tests that share one
/// would meet.
///
/// # Panics
/// As [`shared_node`], and if the virtual host cannot be made.
pub async fn fresh_vhost() -> Vhost {
    match shared_node().await.vhost().await {
        Ok(vhost) => vhost,
        Err(error) => panic!("{error:?}"),
    }
}

impl SharedNode {
    async fn start() -> Result<Self> {
        let kind = match env::var("RABBITMQ_URL") {
            Ok(url) => Kind::External { url },
            Err(env::VarError::NotPresent) => Kind::Private {
                node: Box::new(RabbitNode::start().await?),
                spare: AsyncMutex::default(),
            },
            Err(error) => bail!("RABBITMQ_URL: {error}"),
        };
        Ok(Self { kind })
    }

    /// The private node; nothing when the broker is the one of `$RABBITMQ_URL`, which has no
    /// `rabbitmqctl` here.
    #[must_use]
    pub fn node(&self) -> Option<&RabbitNode> {
        match &self.kind {
            Kind::Private { node, .. } => Some(node),
            Kind::External { .. } => None,
        }
    }

    async fn vhost(&self) -> Result<Vhost> {
        match &self.kind {
            Kind::Private { node, spare } => {
                let mut spare = spare.lock().await;
                if spare.vhosts.is_empty() {
                    spare.refill(node).await?;
                }
                let name = spare.vhosts.pop().context("no spare virtual host")?;
                Ok(Vhost {
                    url: node.url_for("guest", "guest", &name),
                    name,
                    external: None,
                })
            }
            Kind::External { url } => {
                let turn = TURN.lock().await;
                let external = External {
                    queues: Mutex::default(),
                    _turn: turn,
                };
                let name = url.clone();
                Ok(Vhost {
                    url: url.clone(),
                    name,
                    external: Some(external),
                })
            }
        }
    }
}

impl Spare {
    async fn refill(&mut self, node: &RabbitNode) -> Result<()> {
        let names: Vec<_> = (self.made..self.made + BATCH)
            .map(|number| format!("test-{number}"))
            .collect();
        let vhosts: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        let permissions: Vec<_> = names
            .iter()
            .map(|name| json!({ "user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*" }))
            .collect();
        node.import(&json!({ "vhosts": vhosts, "permissions": permissions }))
            .await?;
        self.made += BATCH;
        self.vhosts = names;
        Ok(())
    }
}

/// A virtual host that one test has for itself.
///
/// On the broker of `$RABBITMQ_URL` there is only the URL's own: there the tests take turns, one
/// while this value lives, and the queues that the test [uses](Vhost::uses) are deleted before and
/// after it.
#[derive(Debug)]
pub struct Vhost {
    url: String,
    name: String,
    external: Option<External>,
}

#[derive(Debug)]
struct External {
    queues: Mutex<BTreeSet<String>>,
    _turn: MutexGuard<'static, ()>,
}

impl Vhost {
    /// The URL to connect to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The virtual host's name, as `rabbitmqctl -p` takes it (with `$RABBITMQ_URL`: that URL).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names the queues that the test declares and that would outlive it. A virtual host of its own
    /// goes with them.
    ///
    /// # Panics
    /// If they cannot be deleted from the broker of `$RABBITMQ_URL`.
    pub async fn uses(&self, queues: &[&str]) {
        let Some(external) = &self.external else {
            return;
        };
        // A queue that this test has named before may hold its messages now.
        let new: BTreeSet<_> = {
            let known = external
                .queues
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let unknown = queues.iter().filter(|queue| !known.contains(**queue));
            unknown.map(|queue| (*queue).to_owned()).collect()
        };
        if let Err(error) = delete(&self.url, &new).await {
            panic!("{error:?}");
        }
        external
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(new);
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let Some(external) = &mut self.external else {
            return;
        };
        let queues = std::mem::take(
            external
                .queues
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let url = self.url.clone();
        // The test's own runtime cannot be waited for from here.
        let deleted = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(delete(&url, &queues))
        });
        match deleted.join() {
            Ok(Ok(())) => (),
            Ok(Err(error)) => eprintln!("leftover queues of the test remain: {error:?}"),
            Err(_) => eprintln!("leftover queues of the test remain: the deletion panicked"),
        }
    }
}

async fn delete(url: &str, queues: &BTreeSet<String>) -> Result<()> {
    if queues.is_empty() {
        return Ok(());
    }
    let deletion = async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        for queue in queues {
            // A queue that does not exist is deleted without an error.
            channel
                .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
                .await?;
        }
        connection.close(200, "done".into()).await
    };
    timeout(DELETE, deletion)
        .await
        .with_context(|| format!("it took more than {DELETE:?}"))?
        .with_context(|| format!("cannot delete the queues {queues:?}"))
}
