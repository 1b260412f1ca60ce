//! Waiting for what must become true.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// Waits until something becomes true.
///
/// # Panics
/// If it does not within 20 s.
pub async fn eventually<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let end = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < end, "still not true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
