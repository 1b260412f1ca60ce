//! The service that is called. It records everything that it does.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rpc_core::{Context, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::record::Event;

/// A method for each kind that the promises distinguish. The number of a call travels as an
/// argument.
#[rpc_service]
pub(crate) trait Till {
    /// Returns at once.
    async fn echo(&self, call: u64) -> u64;
    /// Returns after a while. Few run at a time, so that others wait in the queue.
    #[rpc(concurrency = 16)]
    async fn nap(&self, call: u64, millis: u64) -> u64;
    /// What nobody wants to happen twice.
    #[rpc(concurrency = 32)]
    async fn pay(&self, call: u64, millis: u64) -> Result<u64, Refusal>;
    /// May happen twice.
    #[rpc(idempotent)]
    async fn look(&self, call: u64, millis: u64) -> u64;
    /// Nobody waits for it; it happens once at most.
    #[rpc(one_way)]
    async fn note(&self, call: u64);
    /// Nobody waits for it; it happens once at least.
    #[rpc(one_way, idempotent)]
    async fn remind(&self, call: u64, millis: u64);
}

/// The error of a call that may not pay.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) proof: u64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.proof)
    }
}

/// Whether a call of `pay` is refused.
pub(crate) fn is_refused(call: u64) -> bool {
    call.is_multiple_of(5)
}

/// The value that only a handler of this very call and method returns.
pub(crate) fn proof_of(method: &str, call: u64) -> u64 {
    hash(&(method, call))
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The implementation.
#[derive(Debug)]
pub(crate) struct Clerk(pub(crate) Arc<Ledger>);

impl Clerk {
    async fn serve(&self, method: &str, call: u64, millis: u64) -> u64 {
        let context = Context::current();
        let started = Event::Started {
            message: hash(&context.correlation_id()),
            redelivered: context.redelivered(),
        };
        // Before anything else: what is not written down cannot be held against anybody.
        self.0.write(call, started);
        if millis > 0 {
            sleep(Duration::from_millis(millis)).await;
        }
        self.0.write(call, Event::Finished);
        proof_of(method, call)
    }
}

impl Till for Clerk {
    async fn echo(&self, call: u64) -> u64 {
        self.serve("echo", call, 0).await
    }

    async fn nap(&self, call: u64, millis: u64) -> u64 {
        self.serve("nap", call, millis).await
    }

    async fn pay(&self, call: u64, millis: u64) -> Result<u64, Refusal> {
        let proof = self.serve("pay", call, millis).await;
        if is_refused(call) {
            Err(Refusal { proof })
        } else {
            Ok(proof)
        }
    }

    async fn look(&self, call: u64, millis: u64) -> u64 {
        self.serve("look", call, millis).await
    }

    async fn note(&self, call: u64) {
        self.serve("note", call, 0).await;
    }

    async fn remind(&self, call: u64, millis: u64) {
        self.serve("remind", call, millis).await;
    }
}
