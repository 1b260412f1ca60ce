//! Why a connection was lost, or a subscription ended, for everything that uses it.

use futures_util::StreamExt;
use lapin::Consumer;
use tokio::sync::watch;

use crate::transport::Loss;

/// Waits until the watcher of a connection reports why it was lost.
pub(super) async fn lost(loss: &watch::Receiver<Option<Loss>>) -> Loss {
    let mut loss = loss.clone();
    match loss.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(loss)) => loss.clone(),
        _ => Loss("the runtime was shut down".into()),
    }
}

/// Waits until a subscription ends, and returns lapin's error if there is one. Dropping this
/// cancels the subscription. lapin's own stream has no deliveries: the edge takes them out.
pub(super) async fn end_of(mut consumer: Consumer) -> Option<lapin::Error> {
    loop {
        match consumer.next().await? {
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
}
