//! What stands on one connection, and why it is over.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::connect::ConnectError;
use crate::transport::{Link, Loss};

/// What is set up on each new connection, and taken down with it.
#[async_trait]
pub(crate) trait Session: fmt::Debug + Send + Sync + Sized + 'static {
    /// How all sessions of one supervisor are set up.
    type Options: fmt::Debug + Send + Sync + 'static;

    async fn open(link: Arc<dyn Link>, options: &Self::Options) -> Result<Self, ConnectError>;

    fn link(&self) -> &Arc<dyn Link>;

    /// Waits until the session is of no use any more: its connection, or all that it had on it, is gone.
    async fn lost(&self) -> Loss;

    /// Tells those who depend on the session that it is over.
    fn end(&self, over: Terminated);
}

/// Why a session is over.
#[derive(Clone, Debug)]
pub(crate) enum Terminated {
    /// The connection was lost, with the reason.
    Lost(String),
    /// The user closed it.
    Closed,
}

/// Whether a session is over, and why: one for all that stands on it.
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

    /// Why the session is over, if it is.
    pub(crate) fn get(&self) -> Option<&Terminated> {
        self.reason.get()
    }

    /// Returns when the session is over. Any number of tasks may wait. Cancel safe.
    pub(crate) async fn wait(&self) {
        self.signal.cancelled().await;
    }
}
