//! A transport that records when it was asked for connections and channels.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::time::{Duration, Instant};

use super::memory::{MemoryBroker, MemoryTransport};
use super::{ConfirmChannel, Link, Loss, OpenCalls, Purpose, QueueProbe, ServeChannel, Transport};
use crate::error::connect::ConnectError;
use crate::error::serve::ServeError;

/// `memory://` with several hosts, all of which are the same broker.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    memory: Arc<MemoryTransport>,
    pub(crate) broker: MemoryBroker,
    hosts: usize,
    asked: Arc<Mutex<Asked>>,
}

/// What was asked for, and when.
#[derive(Debug, Default)]
struct Asked {
    connections: Vec<(usize, Instant)>,
    channels: Vec<Instant>,
    /// The last serving channel.
    channel: Option<Arc<dyn ServeChannel>>,
    refuse_channels: bool,
}

impl Watched {
    /// `name` is the name of the broker.
    pub(crate) fn new(name: &str, hosts: usize) -> Self {
        Self {
            memory: Arc::new(MemoryTransport::from_url(&format!("memory://{name}")).unwrap()),
            broker: MemoryBroker::named(name),
            hosts,
            asked: Arc::default(),
        }
    }

    /// The hosts that were asked for connections since the last call of this function, and when.
    pub(crate) fn connections(&self) -> Vec<(usize, Instant)> {
        std::mem::take(&mut self.asked.lock().unwrap().connections)
    }

    /// When serving channels were asked for since the last call of this function.
    pub(crate) fn channels(&self) -> Vec<Instant> {
        std::mem::take(&mut self.asked.lock().unwrap().channels)
    }

    /// Sets whether further serving channels are refused.
    pub(crate) fn refuse_channels(&self, refuse: bool) {
        self.asked.lock().unwrap().refuse_channels = refuse;
    }

    /// Closes the last serving channel but not its connection.
    pub(crate) async fn break_channel(&self) {
        let channel = self.asked.lock().unwrap().channel.take();
        channel.unwrap().close().await;
    }
}

#[async_trait]
impl Transport for Watched {
    fn hosts(&self) -> usize {
        self.hosts
    }

    async fn connect(&self, host: usize, purpose: Purpose) -> Result<Arc<dyn Link>, ConnectError> {
        let asked = (host, Instant::now());
        self.asked.lock().unwrap().connections.push(asked);
        Ok(Arc::new(WatchedLink {
            link: self.memory.connect(host, purpose).await?,
            asked: Arc::clone(&self.asked),
        }))
    }
}

#[derive(Debug)]
struct WatchedLink {
    link: Arc<dyn Link>,
    asked: Arc<Mutex<Asked>>,
}

#[async_trait]
impl Link for WatchedLink {
    fn host(&self) -> &str {
        self.link.host()
    }

    fn user_id(&self) -> Option<&str> {
        self.link.user_id()
    }

    async fn lost(&self) -> Loss {
        self.link.lost().await
    }

    fn blocked(&self) -> Option<String> {
        self.link.blocked()
    }

    async fn unblocked(&self) {
        self.link.unblocked().await;
    }

    async fn call_channel(&self) -> Result<OpenCalls, ConnectError> {
        self.link.call_channel().await
    }

    async fn serve_channel(&self) -> Result<Arc<dyn ServeChannel>, ServeError> {
        let refuse = {
            let mut asked = self.asked.lock().unwrap();
            asked.channels.push(Instant::now());
            asked.refuse_channels
        };
        if refuse {
            return Err(ConnectError::unreachable(self.host(), "it opens no channels").into());
        }
        let channel = self.link.serve_channel().await?;
        self.asked.lock().unwrap().channel = Some(Arc::clone(&channel));
        Ok(channel)
    }

    fn confirm_channel(&self) -> Box<dyn ConfirmChannel> {
        self.link.confirm_channel()
    }

    fn queue_probe(&self) -> Box<dyn QueueProbe> {
        self.link.queue_probe()
    }

    async fn close(&self) {
        self.link.close().await;
    }
}

/// Asserts that attempts back off as documented: no pause before the first, at most 50 ms before
/// the second, then a bound that doubles up to 800 ms. Also asserts that the pauses do grow.
pub(crate) fn assert_backs_off(mut since: Instant, attempts: &[Instant]) {
    let mut bound = Duration::ZERO;
    let mut longest = Duration::ZERO;
    for (index, attempt) in attempts.iter().enumerate() {
        let pause = attempt.duration_since(since);
        assert!(pause <= bound + TICK, "{pause:?} before attempt {index}");
        bound = (bound * 2).clamp(Duration::from_millis(50), LONGEST);
        longest = longest.max(pause);
        since = *attempt;
    }
    assert!(longest > LONGEST / 2, "the pauses do not grow: {longest:?}");
}

/// The longest pause between attempts.
pub(crate) const LONGEST: Duration = Duration::from_millis(800);

/// The resolution to which tokio's timers round up.
pub(crate) const TICK: Duration = Duration::from_millis(1);
