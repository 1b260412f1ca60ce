//! The hosts of a broker: in which order they are tried, and how slow attempts are handled.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::connection::session::Session;
use crate::error::connect::ConnectError;
use crate::transport::{Purpose, Transport};

/// Tries the hosts in turn, starting with the one that was used last. If a host does not answer
/// within [`STAGGER`], the next one is tried as well, and the first session that is up is used. A
/// host that hangs may accept connections and then stay silent until the connect timeout. (RFC
/// 8305 treats the addresses of one host like this.)
pub(crate) struct Failover<S: Session> {
    transport: Arc<dyn Transport>,
    purpose: Purpose,
    options: Arc<S::Options>,
    last: usize,
    /// The attempts in progress, at most one for each host.
    attempts: FuturesUnordered<BoxFuture<'static, OpenedSession<S>>>,
    /// Indexed by host.
    states: Vec<HostAttempts>,
}

#[derive(Debug, Default)]
struct HostAttempts {
    /// When the attempt in progress began.
    begun: Option<Instant>,
    /// Why the last attempt failed; `None` if none failed since the last connection.
    failure: Option<ConnectError>,
}

/// An attempt that has ended.
struct OpenedSession<S> {
    host: usize,
    result: Result<S, ConnectError>,
}

impl<S: Session> Failover<S> {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        purpose: Purpose,
        options: S::Options,
    ) -> Self {
        let states = (0..transport.hosts()).map(|_| HostAttempts::default());
        Self {
            states: states.collect(),
            transport,
            purpose,
            options: Arc::new(options),
            last: 0,
            attempts: FuturesUnordered::new(),
        }
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Tries each host once. Fails when all of them have failed.
    pub(crate) async fn connect(&mut self) -> Result<S, ConnectError> {
        self.try_all(true).await
    }

    /// At `at`, tries each host once, except those with an attempt in progress. Fails once a host
    /// has failed and every attempt in progress has had [`STAGGER`], so that hosts that fail fast
    /// are soon tried again. If an attempt in progress succeeds before `at`, it is used at once.
    pub(crate) async fn connect_again(&mut self, at: Instant) -> Result<S, ConnectError> {
        tokio::select! {
            (host, session) = self.next_up() => {
                self.choose(host);
                Ok(session)
            }
            () = sleep_until(at) => self.try_all(false).await,
        }
    }

    /// Waits for an attempt in progress to succeed. Waits for ever if none is in progress. Cancel
    /// safe.
    pub(crate) async fn straggler(&mut self) -> S {
        self.next_up().await.1
    }

    async fn next_up(&mut self) -> (usize, S) {
        loop {
            let Some(opened) = self.attempts.next().await else {
                pending().await
            };
            let host = opened.host;
            if let Ok(session) = self.end(opened) {
                return (host, session);
            }
        }
    }

    /// Tries every host that has no attempt in progress. With `wait_for_all`, fails only when
    /// every attempt has failed.
    async fn try_all(&mut self, wait_for_all: bool) -> Result<S, ConnectError> {
        let count = self.states.len();
        let mut untried = (0..count)
            .map(|turn| (self.last + turn) % count)
            .filter(|host| self.states[*host].begun.is_none())
            .collect::<Vec<_>>()
            .into_iter();
        let mut has_failed = false;
        loop {
            if let Some(host) = untried.next() {
                self.begin(host);
            }
            let is_last = untried.len() == 0;
            let stops_waiting = !is_last || (has_failed && !wait_for_all);
            let patience = self.youngest().map(|begun| begun + STAGGER);
            tokio::select! {
                biased;
                Some(opened) = self.attempts.next() => {
                    let host = opened.host;
                    if let Ok(session) = self.end(opened) {
                        self.choose(host);
                        return Ok(session);
                    }
                    has_failed = true;
                    if is_last && self.attempts.is_empty() {
                        return Err(self.failure());
                    }
                }
                Some(()) = OptionFuture::from(patience.map(sleep_until)), if stops_waiting => {
                    if is_last {
                        return Err(self.failure());
                    }
                }
            }
        }
    }

    fn begin(&mut self, host: usize) {
        let (transport, options) = (Arc::clone(&self.transport), Arc::clone(&self.options));
        let purpose = self.purpose;
        self.states[host].begun = Some(Instant::now());
        self.attempts.push(Box::pin(async move {
            let opening = async {
                let link = transport.connect(host, purpose).await?;
                match S::open(Arc::clone(&link), &options).await {
                    Ok(session) => Ok(session),
                    Err(error) => {
                        link.close().await;
                        Err(error)
                    }
                }
            };
            let result = opening.await;
            OpenedSession { host, result }
        }));
    }

    fn choose(&mut self, host: usize) {
        self.last = host;
        self.states
            .iter_mut()
            .for_each(|state| state.failure = None);
    }

    fn end(&mut self, opened: OpenedSession<S>) -> Result<S, ()> {
        let state = &mut self.states[opened.host];
        state.begun = None;
        opened.result.map_err(|error| state.failure = Some(error))
    }

    /// When the most recent of the attempts in progress began.
    fn youngest(&self) -> Option<Instant> {
        self.states.iter().filter_map(|state| state.begun).max()
    }

    fn failure(&self) -> ConnectError {
        let failures = self.states.iter().filter_map(|state| state.failure.clone());
        let mut failures: Vec<_> = failures.collect();
        match failures.pop() {
            Some(only) if failures.is_empty() => only,
            last => {
                failures.extend(last);
                ConnectError::NoHost(failures)
            }
        }
    }
}

impl<S: Session> fmt::Debug for Failover<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover")
            .field("transport", &self.transport)
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

/// The delay that RFC 8305 recommends. It is longer than most handshakes, and short compared with
/// the second within which the connection should be back.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
