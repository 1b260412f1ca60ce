//! Why a connection was lost, for everything that uses it.

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
