//! Inspects the queues of calls that were not answered in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::error::progress::Progress;
use crate::transport::{Link, QueueProbe, QueueStatus};

/// Inspects queues over one connection, one at a time, and each queue at most once per [`FRESH`].
#[derive(Debug)]
pub(crate) struct QueueInspector {
    requests: mpsc::Sender<Inspection>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Inspection {
    /// The queue of the method.
    queue: String,
    /// The batch queue of the method, if the call may be in a batch.
    batch_queue: Option<String>,
    tx: oneshot::Sender<Progress>,
}

impl QueueInspector {
    pub(crate) fn start(link: &Arc<dyn Link>) -> Self {
        let (requests, waiting) = mpsc::channel(WAITING);
        let task = tokio::spawn(inspect_all(Arc::clone(link), waiting));
        Self {
            requests,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Returns how far a call of this method got, or `Unknown` if that is not known by the time
    /// `by`.
    pub(crate) async fn progress(
        &self,
        method: &str,
        batch_queue: Option<&str>,
        by: Instant,
    ) -> Progress {
        let (tx, rx) = oneshot::channel();
        let request = Inspection {
            queue: method.to_owned(),
            batch_queue: batch_queue.map(str::to_owned),
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

async fn inspect_all(link: Arc<dyn Link>, mut waiting: mpsc::Receiver<Inspection>) {
    let mut inspections = Inspections {
        probe: link.queue_probe(),
        link,
        seen: HashMap::new(),
    };
    while let Some(Inspection {
        queue,
        batch_queue,
        tx,
    }) = waiting.recv().await
    {
        // The caller may have stopped waiting.
        if tx.is_closed() {
            continue;
        }
        let mut progress = inspections.progress(queue).await;
        if let (Progress::Taken { .. }, Some(batch_queue)) = (&progress, batch_queue) {
            // No call waits in the method's queue; this one may wait in a batch.
            let in_batch_queue = inspections.progress(batch_queue).await;
            if let Progress::Queued { .. } | Progress::Unknown = in_batch_queue {
                progress = in_batch_queue;
            }
        }
        // A caller that has left needs no result.
        let _ = tx.send(progress);
    }
}

/// Inspects queues, and reuses fresh results.
struct Inspections {
    link: Arc<dyn Link>,
    probe: Box<dyn QueueProbe>,
    seen: HashMap<String, (Instant, Progress)>,
}

impl Inspections {
    async fn progress(&mut self, queue: String) -> Progress {
        let known = self.seen.get(&queue).filter(|(at, _)| at.elapsed() < FRESH);
        if let Some((_, progress)) = known {
            return progress.clone();
        }
        let progress = match timeout(LOOK_LIMIT, self.probe.probe(&queue)).await {
            Ok(status) => progress_by(status),
            Err(_) => {
                // A late answer would be taken for the answer about the next queue.
                self.probe = self.link.queue_probe();
                Progress::Unknown
            }
        };
        self.seen.retain(|_, (at, _)| at.elapsed() < FRESH);
        self.seen.insert(queue, (Instant::now(), progress.clone()));
        progress
    }
}

fn progress_by(status: Option<QueueStatus>) -> Progress {
    match status {
        None => Progress::Unknown,
        Some(QueueStatus::Absent) => Progress::NoQueue,
        Some(QueueStatus::There { calls: 0, servers }) => Progress::Taken { servers },
        Some(QueueStatus::There { calls, servers }) => Progress::Queued { calls, servers },
    }
}

/// How long the result of an inspection is reused.
const FRESH: Duration = Duration::from_millis(100);

/// How long an inspection may take. Callers do not wait that long: each has a limit of its own.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// How many callers may wait for an inspection. Further callers get `Unknown` at once.
const WAITING: usize = 256;
