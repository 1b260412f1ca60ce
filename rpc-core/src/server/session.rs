//! One connection for serving; each server opens a channel of its own on it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::connection::session::{Session, Terminated};
use crate::error::connect::ConnectError;
use crate::transport::{Link, Loss};

/// A connection on which servers may open channels.
#[derive(Debug)]
pub(crate) struct ServeSession {
    pub(crate) link: Arc<dyn Link>,
}

#[async_trait]
impl Session for ServeSession {
    type Options = ();

    async fn open(link: Arc<dyn Link>, (): &()) -> Result<Self, ConnectError> {
        Ok(Self { link })
    }

    fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    async fn lost(&self) -> Loss {
        self.link.lost().await
    }

    /// Does nothing: servers see the end by the end of their streams.
    fn end(&self, _: Terminated) {}
}
