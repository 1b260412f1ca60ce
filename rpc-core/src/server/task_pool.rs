//! The tasks in which the calls of a server run.

use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tracing::error;

/// Runs futures concurrently. Dropping it stops them.
///
/// A task that has finished one future waits for the next, because starting and ending a task costs
/// more than most calls. Nor does anybody wait for the end of a single task before all are to end:
/// that would wake the server's task once more for each call.
#[derive(Default)]
pub(crate) struct TaskPool {
    /// At most as many tasks as have run at the same time. Some of them may have ended.
    tasks: JoinSet<()>,
    idle: Arc<Mutex<Idle>>,
}

/// A future to run.
type Work = BoxFuture<'static, ()>;

#[derive(Default)]
struct Idle {
    /// At most [`MOST_IDLE`].
    tasks: Vec<oneshot::Sender<Work>>,
    /// Whether a task that has finished its future ends, instead of waiting for another.
    is_over: bool,
}

impl TaskPool {
    /// Runs a future, in a task that is idle or in a new one.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let mut work = work.boxed();
        loop {
            let task = lock(&self.idle).tasks.pop();
            let Some(task) = task else {
                break;
            };
            match task.send(work) {
                Ok(()) => return,
                // That task was stopped with its runtime.
                Err(refused) => work = refused,
            }
        }
        while let Some(ended) = self.tasks.try_join_next() {
            log_if_panicked(ended);
        }
        self.tasks.spawn(run(work, Arc::clone(&self.idle)));
    }

    /// Waits until all tasks have ended. Cancel safe.
    pub(crate) async fn finish(&mut self) {
        let idle = {
            let mut idle = lock(&self.idle);
            idle.is_over = true;
            mem::take(&mut idle.tasks)
        };
        drop(idle);
        while let Some(ended) = self.tasks.join_next().await {
            log_if_panicked(ended);
        }
    }

    /// Stops all tasks where they next wait.
    pub(crate) fn abort(&mut self) {
        self.tasks.abort_all();
    }
}

impl fmt::Debug for TaskPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskPool").field(&self.tasks).finish()
    }
}

/// The body of a task: runs one future after the other.
async fn run(mut work: Work, idle: Arc<Mutex<Idle>>) {
    loop {
        (&mut work).await;
        // What the future holds is dropped before the wait.
        drop(work);
        let next = {
            let mut idle = lock(&idle);
            if idle.is_over || idle.tasks.len() >= MOST_IDLE {
                return;
            }
            let (task, next) = oneshot::channel();
            idle.tasks.push(task);
            next
        };
        match next.await {
            Ok(next) => work = next,
            // All tasks are to end.
            Err(_) => return,
        }
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    // No code that can panic runs under the lock.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Panics of handlers are caught where handlers run, so a panic here is a defect of the library.
fn log_if_panicked(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "serving a call panicked");
    }
}

/// How many tasks may wait for work. With more calls at a time, each call has enough others to
/// share the costs with.
const MOST_IDLE: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::Barrier;
    use tokio::task;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn what_runs_one_after_the_other_shares_a_task() {
        let mut tasks = TaskPool::default();
        let (send, mut ids) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..3 {
            let send = send.clone();
            tasks.spawn(async move { send.send(task::id()).unwrap() });
            task::yield_now().await;
        }
        drop(send);
        let first = ids.recv().await.unwrap();
        assert_eq!(ids.recv().await, Some(first));
        assert_eq!(ids.recv().await, Some(first));
        tasks.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_stops_nothing_else_and_few_stay_idle() {
        let mut tasks = TaskPool::default();
        let all = Arc::new(Barrier::new(3 * MOST_IDLE));
        for _ in 0..3 * MOST_IDLE {
            let all = Arc::clone(&all);
            tasks.spawn(async move {
                all.wait().await;
            });
        }
        sleep(Duration::from_millis(1)).await;
        assert_eq!(lock(&tasks.idle).tasks.len(), MOST_IDLE);
        tasks.spawn(async {});
        tasks.finish().await;
        assert!(tasks.tasks.is_empty());
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_task_only() {
        let mut tasks = TaskPool::default();
        tasks.spawn(async { panic!("a defect") });
        task::yield_now().await;
        let (send, done) = oneshot::channel();
        tasks.spawn(async { send.send(()).unwrap() });
        done.await.unwrap();
        tasks.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn all_stop_when_they_are_told_to_or_dropped() {
        for drops in [false, true] {
            let mut tasks = TaskPool::default();
            let held = Arc::new(());
            for _ in 0..2 {
                let held = Arc::clone(&held);
                tasks.spawn(async move {
                    std::future::pending::<()>().await;
                    drop(held);
                });
            }
            tasks.spawn(async {});
            task::yield_now().await;
            assert_eq!(Arc::strong_count(&held), 3);
            if drops {
                drop(tasks);
                task::yield_now().await;
            } else {
                tasks.abort();
                tasks.finish().await;
            }
            assert_eq!(Arc::strong_count(&held), 1);
        }
    }
}
