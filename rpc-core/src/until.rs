//! A wait that may have no end.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Waits until then, or for ever.
pub(crate) async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}
