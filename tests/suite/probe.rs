//! The service that the tests call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_core::{Context, rpc_service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Something of each kind.
#[rpc_service]
pub(crate) trait Probe {
    /// Returns what it got.
    async fn echo(&self, value: Value) -> Value;
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> i64;
    /// Returns after so many milliseconds.
    async fn nap(&self, millis: u64) -> u64;
    /// Takes money out.
    async fn pay(&self, amount: u64) -> Result<u64, PayError>;
    /// Panics.
    async fn explode(&self, words: String);
    /// Tells what it knows of the call.
    async fn context(&self) -> Value;
    /// Has no arguments and no result.
    async fn nothing(&self);
}

/// The queues of [`Probe`].
pub(crate) const METHODS: &[&str] = &["echo", "add", "nap", "pay", "explode", "context", "nothing"];

/// Why nothing was paid.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum PayError {
    /// There is not enough.
    InsufficientFunds {
        /// What is missing.
        needed: u64,
        /// What is there.
        available: u64,
    },
    /// Nobody may.
    Closed,
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientFunds { needed, available } => {
                write!(f, "{needed} needed, {available} available")
            }
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// Does what it says.
pub(crate) struct Real;

impl Probe for Real {
    async fn echo(&self, value: Value) -> Value {
        value
    }

    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn nap(&self, millis: u64) -> u64 {
        sleep(Duration::from_millis(millis)).await;
        millis
    }

    async fn pay(&self, amount: u64) -> Result<u64, PayError> {
        match amount {
            0 => Err(PayError::Closed),
            1..=100 => Ok(100 - amount),
            needed => Err(PayError::InsufficientFunds {
                needed,
                available: 100,
            }),
        }
    }

    async fn explode(&self, words: String) {
        panic!("{words}");
    }

    async fn context(&self) -> Value {
        let context = Context::current();
        json!({
            "method": context.method(),
            "headers": context.headers(),
            "left": context.time_left().map(|left| u64::try_from(left.as_millis()).unwrap()),
            "id": context.correlation_id(),
            "redelivered": context.redelivered(),
            "user_id": context.user_id(),
        })
    }

    async fn nothing(&self) {}
}

/// Counts how many handlers were started, and how many reached their end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    started: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Tally {
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    /// A handler that naps for `millis`, as the arguments say.
    pub(crate) async fn nap(self, args: Nap) -> Result<u64, String> {
        self.started.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(args.millis)).await;
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(args.millis)
    }
}

/// The arguments of `nap`.
#[derive(Debug, Deserialize)]
pub(crate) struct Nap {
    millis: u64,
}
