//! Looks at queues for calls that were not answered in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::progress::Progress;
use crate::transport::{Link, QueueProbe, QueueStatus};
use tokio_util::task::AbortOnDropHandle;

/// Looks at the queues of one connection, at one after the other, and at none more often than every
/// [`FRESH`].
#[derive(Debug)]
pub(crate) struct QueueInspector {
    requests: mpsc::Sender<Inspection>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Inspection {
    /// The queue of the method.
    queue: String,
    /// That of its batches, if the call may be in one.
    lane: Option<String>,
    tx: oneshot::Sender<Progress>,
}

impl QueueInspector {
    pub(crate) fn start(link: &Arc<dyn Link>) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(look_at_all(Arc::clone(link), waiting));
        Self {
            requests,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// How far a call of this method got, by that time.
    pub(crate) async fn progress(&self, method: &str, lane: Option<&str>, by: Instant) -> Progress {
        let (tx, rx) = oneshot::channel();
        let request = Inspection {
            queue: method.to_owned(),
            lane: lane.map(str::to_owned),
            tx,
        };
        if self.requests.try_send(request).is_err() {
            return Progress::Unknown;
        }
        match timeout_at(by, rx).await {
            Ok(Ok(progress)) => progress,
            _ => Progress::Unknown,
        }
    }
}

async fn look_at_all(link: Arc<dyn Link>, mut waiting: mpsc::Receiver<Inspection>) {
    let mut looks = Looks {
        probe: link.queue_probe(),
        link,
        seen: HashMap::new(),
    };
    while let Some(Inspection { queue, lane, tx }) = waiting.recv().await {
        // Its caller may have lost patience.
        if tx.is_closed() {
            continue;
        }
        let mut progress = looks.progress(queue).await;
        if let (Progress::Taken { .. }, Some(lane)) = (&progress, lane) {
            // Nothing waits there; it may wait in a batch.
            let in_lane = looks.progress(lane).await;
            if let Progress::Queued { .. } | Progress::Unknown = in_lane {
                progress = in_lane;
            }
        }
        // Who has left does not ask.
        let _ = tx.send(progress);
    }
}

/// What was seen of queues.
struct Looks {
    link: Arc<dyn Link>,
    probe: Box<dyn QueueProbe>,
    seen: HashMap<String, (Instant, Progress)>,
}

impl Looks {
    async fn progress(&mut self, queue: String) -> Progress {
        let known = self.seen.get(&queue).filter(|(at, _)| at.elapsed() < FRESH);
        if let Some((_, progress)) = known {
            return progress.clone();
        }
        let progress = match timeout(LOOK_LIMIT, self.probe.probe(&queue)).await {
            Ok(look) => progress_by(look),
            Err(_) => {
                // An answer that comes later would be taken for that to the next question.
                self.probe = self.link.queue_probe();
                Progress::Unknown
            }
        };
        self.seen.retain(|_, (at, _)| at.elapsed() < FRESH);
        self.seen.insert(queue, (Instant::now(), progress.clone()));
        progress
    }
}

fn progress_by(look: Option<QueueStatus>) -> Progress {
    match look {
        None => Progress::Unknown,
        Some(QueueStatus::Absent) => Progress::NoQueue,
        Some(QueueStatus::There { calls: 0, servers }) => Progress::Taken { servers },
        Some(QueueStatus::There { calls, servers }) => Progress::Queued { calls, servers },
    }
}

/// How long one look counts for all.
const FRESH: Duration = Duration::from_millis(100);

/// How long a look may take; those who ask meanwhile do not wait for it.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// How many may wait for a look; others are rx that nothing is known.
const WAITING: usize = 256;
