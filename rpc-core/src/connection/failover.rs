//! The hosts of a broker: which is tried when, and what becomes of an attempt that takes long.

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

/// Tries the hosts in turn, starting with the one that was used last. One that does not answer for [`STAGGER`] is
/// waited for while the next is tried, and whichever is up first is used: a host that is stuck accepts connections, and
/// may say nothing for as long as the limit of connecting. (RFC 8305 does so with the addresses of one host.)
pub(crate) struct Failover<S: Session> {
    transport: Arc<dyn Transport>,
    purpose: Purpose,
    options: Arc<S::Options>,
    last: usize,
    /// At most one for each host.
    opening: FuturesUnordered<BoxFuture<'static, Opened<S>>>,
    /// By host.
    states: Vec<HostAttempts>,
}

#[derive(Debug, Default)]
struct HostAttempts {
    /// When its attempt began that goes on.
    begun: Option<Instant>,
    /// Why its last attempt failed, since there was a connection.
    failure: Option<ConnectError>,
}

/// An attempt that has ended.
struct Opened<S> {
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
            opening: FuturesUnordered::new(),
        }
    }

    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Tries each host once, and fails when all have.
    pub(crate) async fn connect(&mut self) -> Result<S, ConnectError> {
        self.try_all(true).await
    }

    /// At that time, tries each host once but those whose attempts go on, and fails when the others have, so that they are
    /// soon tried again.
    pub(crate) async fn connect_again(&mut self, at: Instant) -> Result<S, ConnectError> {
        tokio::select! {
            (host, session) = self.next_up() => {
                self.choose(host);
                Ok(session)
            }
            () = sleep_until(at) => self.try_all(false).await,
        }
    }

    /// Waits for a connection whose attempt goes on; for ever, where there is none. Cancel safe.
    pub(crate) async fn straggler(&mut self) -> S {
        self.next_up().await.1
    }

    async fn next_up(&mut self) -> (usize, S) {
        loop {
            let Some(opened) = self.opening.next().await else {
                pending().await
            };
            let host = opened.host;
            if let Ok(session) = self.end(opened) {
                return (host, session);
            }
        }
    }

    async fn try_all(&mut self, to_the_last: bool) -> Result<S, ConnectError> {
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
            let goes_on = !is_last || (has_failed && !to_the_last);
            let patience = self.youngest().map(|begun| begun + STAGGER);
            tokio::select! {
                biased;
                Some(opened) = self.opening.next() => {
                    let host = opened.host;
                    if let Ok(session) = self.end(opened) {
                        self.choose(host);
                        return Ok(session);
                    }
                    has_failed = true;
                    if is_last && self.opening.is_empty() {
                        return Err(self.failure());
                    }
                }
                Some(()) = OptionFuture::from(patience.map(sleep_until)), if goes_on => {
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
        self.opening.push(Box::pin(async move {
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
            Opened { host, result }
        }));
    }

    fn choose(&mut self, host: usize) {
        self.last = host;
        self.states
            .iter_mut()
            .for_each(|state| state.failure = None);
    }

    fn end(&mut self, opened: Opened<S>) -> Result<S, ()> {
        let state = &mut self.states[opened.host];
        state.begun = None;
        opened.result.map_err(|error| state.failure = Some(error))
    }

    /// When the attempt began that goes on for the shortest time.
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

/// As RFC 8305 recommends. Longer than most handshakes, and short beside the second within which all is to be back.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests;
