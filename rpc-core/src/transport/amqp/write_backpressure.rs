//! Holds callers up while the network does not take what they publish.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// Bounds how much lapin holds that is not written yet.
///
/// lapin accepts any number of messages and keeps each until it is written, even if its caller has
/// long given up. Being woken for each written message costs as much as the rest of a call. So
/// once the bound is exceeded, one message becomes the mark, and later callers wait until it is
/// written.
#[derive(Default)]
pub(super) struct WriteBackpressure {
    /// The bytes handed over since a mark was last written.
    handed_over: AtomicUsize,
    mark: Mutex<Option<Mark>>,
}

/// The publish of a message, which completes when the message is written.
pub(super) type Writing = BoxFuture<'static, Result<(), lapin::Error>>;

/// Completes when the mark is written. It is shared, because no single waiter may own it: a user
/// may stop polling the future of a call without dropping it.
type Mark = Shared<BoxFuture<'static, ()>>;

impl WriteBackpressure {
    /// Counts a message of `size` bytes, and returns whether it may be handed over at once. If
    /// not, it has to [wait](Self::wait_to_hand_over).
    pub(super) fn may_hand_over(&self, size: usize) -> bool {
        self.handed_over.fetch_add(size, Ordering::Relaxed) <= MAX_UNWRITTEN
    }

    /// Waits until the mark is written, if there is one, and then hands the message over. The
    /// message may become the next mark. Cancel safe: it is handed over only at the very end.
    pub(super) async fn wait_to_hand_over(
        &self,
        size: usize,
        mut message: Writing,
    ) -> Result<(), lapin::Error> {
        loop {
            let mark = self.lock().clone();
            let Some(mark) = mark else {
                break;
            };
            mark.clone().await;
            let mut current = self.lock();
            if current
                .as_ref()
                .is_some_and(|current| current.ptr_eq(&mark))
            {
                *current = None;
                self.handed_over.store(0, Ordering::Relaxed);
            }
        }
        let fits = self.may_hand_over(size);
        match poll_fn(|cx| Poll::Ready(message.as_mut().poll(cx))).await {
            Poll::Ready(written) => written,
            Poll::Pending => {
                if !fits {
                    // If the mark fails, the connection is gone. lapin then refuses later messages
                    // for the same reason, so the error can be dropped here.
                    self.lock()
                        .get_or_insert_with(|| message.map(drop).boxed().shared());
                }
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        // No code under the lock can panic, so it cannot be poisoned.
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WriteBackpressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBackpressure")
            .field("handed_over", &self.handed_over)
            .finish_non_exhaustive()
    }
}

/// In bytes: as much as lapin's own buffer holds. The mark itself comes on top, which may be a
/// message of the largest size.
const MAX_UNWRITTEN: usize = 4 << 20;
