//! Honest calls: what was asked, how it ended, and what ran.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpc_core::Rpc;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::scene::METHODS;

/// How long an honest call may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The arguments of each method.
#[derive(Debug, Deserialize)]
pub(crate) struct Args {
    /// 0 in calls of the peer.
    n: u64,
    #[serde(default)]
    nap: u64,
}

/// What became of the honest calls.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    last: AtomicU64,
    calls: Mutex<HashMap<u64, Entry>>,
    /// Whether calls that take a while go on until this is false.
    held: watch::Sender<bool>,
}

#[derive(Debug)]
struct Entry {
    method: &'static str,
    deadline: Instant,
    started: Vec<Instant>,
    /// How long it took, or how it failed.
    end: Option<Result<Duration, String>>,
}

/// What the ledger says of the calls since a moment.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) calls: usize,
    pub(crate) failed: Vec<String>,
    /// Those that ran more than once, by their methods.
    pub(crate) doubled: Vec<&'static str>,
    pub(crate) late: usize,
    /// From the quickest on.
    pub(crate) times: Vec<Duration>,
}

impl Ledger {
    /// The handler of each method.
    pub(crate) async fn run(self: Arc<Self>, args: Args) -> Result<u64, String> {
        // The peer's have no entry.
        if let Some(entry) = self.lock().get_mut(&args.n) {
            entry.started.push(Instant::now());
        }
        if args.nap > 0 {
            let nap = Duration::from_millis(args.nap.min(LONGEST_NAP));
            let mut held = self.held.subscribe();
            if *held.borrow() {
                let _ = timeout(LIMIT, held.wait_for(|held| !held)).await;
            } else {
                sleep(nap).await;
            }
        }
        Ok(args.n.wrapping_mul(2))
    }

    /// Holds calls that take a while, or lets them go.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Makes one honest call.
    pub(crate) async fn call(&self, client: &Rpc, method: &'static str) {
        let n = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let start = Instant::now();
        let entry = Entry {
            method,
            deadline: start + LIMIT,
            started: Vec::new(),
            end: None,
        };
        self.lock().insert(n, entry);
        let result = client.call(method, json!({ "n": n })).timeout(LIMIT).await;
        let end = match result {
            Ok(value) if value == json!(n * 2) => Ok(start.elapsed()),
            Ok(value) => Err(format!("{method} {n}: {value}")),
            Err(error) => Err(format!("{method} {n}: {error}")),
        };
        if let Some(entry) = self.lock().get_mut(&n) {
            entry.end = Some(end);
        }
    }

    /// Calls each method by each client, at once.
    pub(crate) async fn call_all(&self, clients: &[Rpc]) {
        let calls = clients
            .iter()
            .flat_map(|client| METHODS.map(|method| self.call(client, method)));
        futures_util::future::join_all(calls).await;
    }

    /// Closes the account of all calls so far. None may be on its way.
    pub(crate) fn take(&self) -> Account {
        let calls = std::mem::take(&mut *self.lock());
        let mut account = Account {
            calls: calls.len(),
            ..Account::default()
        };
        for (n, entry) in calls {
            if entry.started.len() > 1 {
                account.doubled.push(entry.method);
            }
            account.late += entry
                .started
                .iter()
                .filter(|start| **start > entry.deadline)
                .count();
            match entry.end {
                Some(Ok(time)) if !entry.started.is_empty() => account.times.push(time),
                Some(Ok(_)) => account
                    .failed
                    .push(format!("{n} is answered and did not run")),
                Some(Err(error)) => account.failed.push(error),
                None => account
                    .failed
                    .push(format!("{} {n} did not end", entry.method)),
            }
        }
        account.times.sort_unstable();
        account
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// The time that so many of a hundred calls stayed below.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = self.times.len() * percent / 100;
        let last = self.times.len().saturating_sub(1);
        self.times.get(place.min(last)).copied().unwrap_or_default()
    }
}

/// The peer's calls may ask for more.
const LONGEST_NAP: u64 = 1_000;
