//! Holds callers up while the network does not take what they send.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

/// How much was handed to lapin that may not be written yet.
///
/// lapin takes whatever it is given, and keeps it until the network takes it, also what its caller has given up long ago. To be
/// woken for each message that is written costs as much as the rest of a call. So only one in many is waited for, its
/// mark, and by those who come after it.
#[derive(Default)]
pub(super) struct Pressure {
    /// In bytes, since a mark was last written.
    handed_over: AtomicUsize,
    mark: Mutex<Option<Writing>>,
}

/// A message on its way to the network.
pub(super) type Writing = BoxFuture<'static, Result<(), lapin::Error>>;

impl Pressure {
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
        // Held over the wait, so that those who wait have their turns in order.
        let mut mark = self.mark.lock().await;
        if let Some(writing) = mark.as_mut() {
            // If it fails the connection is gone, and lapin refuses the message for the same reason.
            drop(writing.await);
            *mark = None;
            self.handed_over.store(0, Ordering::Relaxed);
        }
        let before = self.handed_over.fetch_add(size, Ordering::Relaxed);
        match poll_fn(|cx| Poll::Ready(message.as_mut().poll(cx))).await {
            Poll::Ready(written) => written,
            Poll::Pending => {
                if before > UNWRITTEN {
                    *mark = Some(message);
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pressure")
            .field("handed_over", &self.handed_over)
            .finish_non_exhaustive()
    }
}

/// As much as lapin's own buffer holds, in bytes; that of the largest message comes on top, which may be the mark.
const UNWRITTEN: usize = 4 << 20;
