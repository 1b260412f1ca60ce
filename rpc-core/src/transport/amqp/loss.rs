//! Why a connection is gone, for all that stands on it.

use tokio::sync::watch;

use crate::transport::Loss;

/// Waits until the watcher of a connection has told why it is gone.
pub(super) async fn lost(told: &watch::Receiver<Option<Loss>>) -> Loss {
    let mut told = told.clone();
    match told.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(loss)) => loss.clone(),
        _ => Loss("the runtime was shut down".into()),
    }
}
