//! What is set up on one connection, and why it ended.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::transport::{Link, Loss};

/// What is set up on each new connection, and torn down with it.
#[async_trait]
pub(crate) trait Session: fmt::Debug + Send + Sync + Sized + 'static {
    /// The options with which a supervisor opens all of its sessions.
    type Options: fmt::Debug + Send + Sync + 'static;

    async fn open(link: Arc<dyn Link>, options: &Self::Options) -> Result<Self, ConnectError>;

    fn link(&self) -> &Arc<dyn Link>;

    /// Waits until the session cannot be used any more, because its connection, or everything that
    /// it had on the connection, is gone.
    async fn lost(&self) -> Loss;

    /// Ends the session: everything that depends on it learns `reason`.
    fn end(&self, reason: Terminated);
}

/// Why a session ended.
#[derive(Clone, Debug)]
pub(crate) enum Terminated {
    /// The connection was lost, for this reason.
    Lost(Reason),
    /// The user closed it.
    Closed,
}

/// Whether a session has ended, and why. Everything that depends on the session shares it.
#[derive(Debug, Default)]
pub(crate) struct SessionEnd {
    reason: OnceLock<Terminated>,
    signal: CancellationToken,
}

impl SessionEnd {
    /// Ends the session. The first reason stays.
    pub(crate) fn set(&self, reason: Terminated) {
        self.reason.get_or_init(|| reason);
        self.signal.cancel();
    }

    /// Why the session ended; `None` while it has not.
    pub(crate) fn get(&self) -> Option<&Terminated> {
        self.reason.get()
    }

    /// Returns when the session has ended. Any number of tasks may wait. Cancel safe.
    pub(crate) async fn wait(&self) {
        self.signal.cancelled().await;
    }
}
