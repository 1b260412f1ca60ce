//! Keeps one connection up: up -> lost -> backoff -> up, topology declared afresh.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::connect_error::ConnectError;
use crate::hosts::Hosts;
use crate::pending::Over;
use crate::transport::{Link, Loss, Purpose, Transport};

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
    fn end(&self, over: Over);
}

/// Owns a connection and replaces it when it is lost. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Supervisor<S> {
    state: watch::Receiver<State<S>>,
    stop: CancellationToken,
    task: OwnedTask,
}

/// The connection at one moment.
#[derive(Debug)]
pub(crate) enum State<S> {
    Up(Arc<S>),
    /// Why, in words for errors.
    Down(String),
    Closed,
}

impl<S> Clone for State<S> {
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
        let mut hosts = Hosts::new(transport, purpose, options);
        let session = Arc::new(hosts.connect().await?);
        let (publish, state) = watch::channel(State::Up(Arc::clone(&session)));
        let stop = CancellationToken::new();
        let task = OwnedTask(tokio::spawn(supervise(
            hosts,
            session,
            publish,
            stop.clone(),
        )));
        Ok(Self { state, stop, task })
    }

    /// The connection now, and all its changes.
    pub(crate) fn watch(&self) -> &watch::Receiver<State<S>> {
        &self.state
    }

    /// Closes the connection; what was published before is sent first.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        let mut state = self.state.clone();
        let closed = state.wait_for(|state| matches!(state, State::Closed));
        if timeout(CLOSE_LIMIT, closed).await.is_err() {
            self.task.0.abort();
        }
    }
}

/// Waits until `deadline` for a session other than `not`. The error is the state at the deadline.
pub(crate) async fn session_by<S: Session>(
    state: &mut watch::Receiver<State<S>>,
    not: Option<&Arc<S>>,
    deadline: Instant,
) -> Result<Arc<S>, State<S>> {
    let other = |session: &Arc<S>| not.is_none_or(|not| !Arc::ptr_eq(not, session));
    let wanted = |state: &State<S>| match state {
        State::Up(session) => other(session),
        State::Down(_) => false,
        State::Closed => true,
    };
    let found = tokio::time::timeout_at(deadline, state.wait_for(wanted))
        .await
        .map(|state| state.map(|state| state.clone()));
    match found {
        Ok(Ok(State::Up(session))) => Ok(session),
        // The task that publishes the state ends only when it is closed or dropped.
        Ok(Ok(closed)) => Err(closed),
        Ok(Err(_)) => Err(State::Closed),
        Err(_) => Err(state.borrow().clone()),
    }
}

async fn supervise<S: Session>(
    mut hosts: Hosts<S>,
    mut session: Arc<S>,
    publish: watch::Sender<State<S>>,
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
                    session.end(Over::Closed);
                    session.link().close().await;
                    publish.send_replace(State::Closed);
                    return;
                }
                late = hosts.straggler() => closing.push(close(Arc::new(late))),
                Some(()) = closing.next() => {}
            }
        };
        warn!(
            host = session.link().host(),
            ?purpose,
            reason = loss.0,
            "connection lost"
        );
        // Calls end before the state changes: nobody may wait for an answer that cannot come.
        session.end(Over::Lost(loss.0.clone()));
        publish.send_replace(State::Down(loss.0));
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
                        publish.send_replace(State::Closed);
                        return;
                    }
                    Some(()) = closing.next() => {}
                }
            };
            match attempt {
                Ok(session) => break Arc::new(session),
                Err(error) => {
                    warn!(?purpose, %error, "cannot reconnect, trying again");
                    publish.send_replace(State::Down(error.to_string()));
                }
            }
        };
        info!(host = session.link().host(), ?purpose, "connected again");
        publish.send_replace(State::Up(Arc::clone(&session)));
    }
}

/// The transport bounds it.
fn close<S: Session>(session: Arc<S>) -> BoxFuture<'static, ()> {
    Box::pin(async move { session.link().close().await })
}

type Closing = FuturesUnordered<BoxFuture<'static, ()>>;

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct OwnedTask(pub(crate) JoinHandle<()>);

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that stood this long had no trouble of its own; the next loss is met without delay.
const STABLE: Duration = Duration::from_secs(1);

/// The transport bounds its own closing; this bounds the supervisor's.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
