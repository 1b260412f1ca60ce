//! Holds callers up while the network does not take what they send.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// How much was handed to lapin that may not be written yet.
///
/// lapin takes whatever it is given, and keeps it until the network takes it, also what its caller has given up long ago. To be
/// woken for each message that is written costs as much as the rest of a call. So only one in many is waited for, its
/// mark, and by those who come after it.
#[derive(Default)]
pub(super) struct WriteBackpressure {
    /// In bytes, since a mark was last written.
    handed_over: AtomicUsize,
    mark: Mutex<Option<Mark>>,
}

/// A message on its way to the network.
pub(super) type Writing = BoxFuture<'static, Result<(), lapin::Error>>;

/// Shared, since it belongs to none of those who wait: users may leave the future of a call and not come back to it.
type Mark = Shared<BoxFuture<'static, ()>>;

impl WriteBackpressure {
    /// Counts a message of so many bytes; whether it may be handed over at once. One that may not has to
    /// [wait](Self::wait_to_hand_over).
    pub(super) fn may_hand_over(&self, size: usize) -> bool {
        self.handed_over.fetch_add(size, Ordering::Relaxed) <= UNWRITTEN
    }

    /// Waits until the mark is written, and hands a message over that may be the next mark. Cancel safe: nothing is handed over
    /// before the end.
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
                    // If it fails the connection is gone, and lapin refuses those that come after it for the same reason.
                    self.lock()
                        .get_or_insert_with(|| message.map(drop).boxed().shared());
                }
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        // No code that can panic runs under the lock.
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

/// As much as lapin's own buffer holds, in bytes; that of the largest message comes on top, which may be the mark.
const UNWRITTEN: usize = 4 << 20;
