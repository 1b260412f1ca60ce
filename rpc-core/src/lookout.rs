//! Looks at queues for calls that were not answered in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::progress::Progress;
use crate::supervisor::OwnedTask;
use crate::transport::{Link, QueueLook};

/// Looks at the queues of one connection, at one after the other, and at none more often than every
/// [`FRESH`].
#[derive(Debug)]
pub(crate) struct Lookout {
    requests: mpsc::Sender<Request>,
    _task: OwnedTask,
}

#[derive(Debug)]
struct Request {
    queue: String,
    tell: oneshot::Sender<Progress>,
}

impl Lookout {
    pub(crate) fn start(link: &Arc<dyn Link>) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(look_at_all(Arc::clone(link), waiting));
        Self {
            requests,
            _task: OwnedTask(task),
        }
    }

    /// How far a call of this method got, by that time.
    pub(crate) async fn progress(&self, method: &str, by: Instant) -> Progress {
        let (tell, told) = oneshot::channel();
        let queue = method.to_owned();
        if self.requests.try_send(Request { queue, tell }).is_err() {
            return Progress::Unknown;
        }
        match timeout_at(by, told).await {
            Ok(Ok(progress)) => progress,
            _ => Progress::Unknown,
        }
    }
}

async fn look_at_all(link: Arc<dyn Link>, mut waiting: mpsc::Receiver<Request>) {
    let mut lookout = link.lookout();
    let mut seen: HashMap<String, (Instant, Progress)> = HashMap::new();
    while let Some(Request { queue, tell }) = waiting.recv().await {
        // Its caller may have lost patience.
        if tell.is_closed() {
            continue;
        }
        let known = seen.get(&queue).filter(|(at, _)| at.elapsed() < FRESH);
        let progress = match known {
            Some((_, progress)) => progress.clone(),
            None => {
                let progress = match timeout(LOOK_LIMIT, lookout.look(&queue)).await {
                    Ok(look) => progress_by(look),
                    Err(_) => {
                        // An answer that comes later would be taken for that to the next question.
                        lookout = link.lookout();
                        Progress::Unknown
                    }
                };
                seen.retain(|_, (at, _)| at.elapsed() < FRESH);
                seen.insert(queue, (Instant::now(), progress.clone()));
                progress
            }
        };
        // Who has left does not ask.
        let _ = tell.send(progress);
    }
}

fn progress_by(look: Option<QueueLook>) -> Progress {
    match look {
        None => Progress::Unknown,
        Some(QueueLook::Absent) => Progress::NoQueue,
        Some(QueueLook::There { calls: 0, servers }) => Progress::Taken { servers },
        Some(QueueLook::There { calls, servers }) => Progress::Queued { calls, servers },
    }
}

/// How long one look counts for all.
const FRESH: Duration = Duration::from_millis(100);

/// How long a look may take; those who ask meanwhile do not wait for it.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// How many may wait for a look; others are told that nothing is known.
const WAITING: usize = 256;
