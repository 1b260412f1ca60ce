//! Bounds what a connection has read and nobody has taken yet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// How many bytes of replies wait to be taken. Above a bound the connection is not read, so that a
/// flood of replies waits at the broker and not in this process.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: AtomicUsize,
    /// The task that reads the connection.
    reader: AtomicWaker,
}

impl Unread {
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if before > MOST {
            self.reader.wake();
        }
    }

    /// Pending while too much is unread.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.bytes.load(Ordering::Acquire) <= MOST {
            return Poll::Ready(());
        }
        self.reader.register(context.waker());
        // Looked at again: what was taken in between woke nobody.
        if self.bytes.load(Ordering::Acquire) <= MOST {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// In bytes. One more message may come on top.
const MOST: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn reading_waits_while_too_much_is_unread() {
        let unread = Unread::default();
        let context = &mut Context::from_waker(Waker::noop());
        unread.add(MOST);
        assert!(unread.poll_room(context).is_ready());
        unread.add(1);
        assert!(unread.poll_room(context).is_pending());
        unread.remove(1);
        assert!(unread.poll_room(context).is_ready());
    }
}
