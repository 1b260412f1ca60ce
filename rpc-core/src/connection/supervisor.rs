//! Keeps one connection up: up -> lost -> backoff -> up, topology declared afresh.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::connection::failover::Failover;
use crate::connection::session::{Session, Terminated};
use crate::error::cause::Cause;
use crate::error::connect::ConnectError;
use crate::error::reason::Reason;
use crate::transport::backoff::Backoff;
use crate::transport::{Purpose, Transport};

/// Owns a connection and replaces it when it is lost. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Supervisor<S> {
    state: watch::Receiver<ConnectionState<S>>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

/// The connection at one moment.
#[derive(Debug)]
pub(crate) enum ConnectionState<S> {
    Up(Arc<S>),
    /// Why, for errors.
    Down(Reason),
    Closed,
}

impl<S> Clone for ConnectionState<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Up(session) => Self::Up(Arc::clone(session)),
            Self::Down(why) => Self::Down(why.clone()),
            Self::Closed => Self::Closed,
        }
    }
}

impl<S: Session> Supervisor<S> {
    /// Connects, and from then on keeps the connection up. An error here is that of the first attempt.
    pub(crate) async fn start(
        transport: Arc<dyn Transport>,
        purpose: Purpose,
        options: S::Options,
    ) -> Result<Self, ConnectError> {
        let mut hosts = Failover::new(transport, purpose, options);
        let session = Arc::new(hosts.connect().await?);
        let (publish, state) = watch::channel(ConnectionState::Up(Arc::clone(&session)));
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(supervise(
            hosts,
            session,
            publish,
            stop.clone(),
        )));
        Ok(Self { state, stop, task })
    }

    /// The connection now, and all its changes.
    pub(crate) fn watch(&self) -> &watch::Receiver<ConnectionState<S>> {
        &self.state
    }

    /// Closes the connection; what was published before is sent first.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        let closed = state.wait_for(|state| matches!(state, ConnectionState::Closed));
        if timeout(CLOSE_LIMIT, closed).await.is_err() {
            self.task.abort();
        }
    }
}

/// Waits until `deadline` for a session other than `not`. The error is the state at the deadline.
pub(crate) async fn session_by<S: Session>(
    state: &mut watch::Receiver<ConnectionState<S>>,
    not: Option<&Arc<S>>,
    deadline: Instant,
) -> Result<Arc<S>, ConnectionState<S>> {
    let other = |session: &Arc<S>| not.is_none_or(|not| !Arc::ptr_eq(not, session));
    let wanted = |state: &ConnectionState<S>| match state {
        ConnectionState::Up(session) => other(session),
        ConnectionState::Down(_) => false,
        ConnectionState::Closed => true,
    };
    let found = tokio::time::timeout_at(deadline, state.wait_for(wanted))
        .await
        .map(|state| state.map(|state| state.clone()));
    match found {
        Ok(Ok(ConnectionState::Up(session))) => Ok(session),
        // The task that publishes the state ends only when it is closed or dropped.
        Ok(Ok(closed)) => Err(closed),
        Ok(Err(_)) => Err(ConnectionState::Closed),
        Err(_) => Err(state.borrow().clone()),
    }
}

async fn supervise<S: Session>(
    mut hosts: Failover<S>,
    mut session: Arc<S>,
    publish: watch::Sender<ConnectionState<S>>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::default();
    // Connections that are not used any more. Those that are stuck must not hold up the next.
    let mut closing = Closing::new();
    let purpose = hosts.purpose();
    loop {
        let up_since = Instant::now();
        let loss = loop {
            tokio::select! {
                loss = session.lost() => break loss,
                () = stop.cancelled() => {
                    session.end(Terminated::Closed);
                    session.link().close().await;
                    publish.send_replace(ConnectionState::Closed);
                    return;
                }
                late = hosts.straggler() => closing.push(close(Arc::new(late))),
                Some(()) = closing.next() => {}
            }
        };
        warn!(
            host = session.link().host(),
            ?purpose,
            reason = loss.0.words,
            "connection lost"
        );
        // Calls end before the state changes: nobody may wait for an answer that cannot come.
        session.end(Terminated::Lost(loss.0.clone()));
        publish.send_replace(ConnectionState::Down(loss.0));
        // A connection may stand while what was on it is gone.
        closing.push(close(session));
        if up_since.elapsed() > STABLE {
            backoff.reset();
        }
        session = loop {
            let attempt = async {
                let at = Instant::now() + backoff.next_wait();
                hosts.connect_again(at).await
            };
            let mut attempt = pin!(attempt);
            let attempt = loop {
                tokio::select! {
                    attempt = &mut attempt => break attempt,
                    () = stop.cancelled() => {
                        publish.send_replace(ConnectionState::Closed);
                        return;
                    }
                    Some(()) = closing.next() => {}
                }
            };
            match attempt {
                Ok(session) => break Arc::new(session),
                Err(error) => {
                    warn!(?purpose, %error, "cannot reconnect, trying again");
                    publish.send_replace(ConnectionState::Down(Reason::new(
                        error.to_string(),
                        Cause::new(error),
                    )));
                }
            }
        };
        info!(host = session.link().host(), ?purpose, "connected again");
        publish.send_replace(ConnectionState::Up(Arc::clone(&session)));
    }
}

/// The transport bounds it.
fn close<S: Session>(session: Arc<S>) -> BoxFuture<'static, ()> {
    Box::pin(async move { session.link().close().await })
}

type Closing = FuturesUnordered<BoxFuture<'static, ()>>;

/// A connection that stood this long had no trouble of its own; the next loss is met without delay.
const STABLE: Duration = Duration::from_secs(1);

/// The transport bounds its own closing; this bounds the supervisor's.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
