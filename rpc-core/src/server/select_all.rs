//! Merges several streams into one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::Stream;
use futures_util::task::AtomicWaker;

use crate::transport::Messages;

/// Yields the items of its streams in turn, and ends when all of them have ended. Polls only
/// streams that may have an item.
///
/// The `SelectAll` of futures-util would do too, but it wakes its own task whenever it finds all
/// streams empty, which costs each call one more poll of that task. It also yields to the runtime
/// by itself. Here, a stream yields when the runtime makes it wait, and is woken by the runtime
/// then.
pub(crate) struct SelectAll<T> {
    /// By index. The place of a stream that has ended is free.
    streams: Vec<Option<Open<T>>>,
    ready: Arc<ReadyStreams>,
}

struct Open<T> {
    stream: Messages<T>,
    place: Arc<Place>,
    waker: Waker,
}

/// The streams that may have an item.
#[derive(Default)]
struct ReadyStreams {
    /// The indices of the streams, each at most once.
    places: Mutex<VecDeque<usize>>,
    task: AtomicWaker,
}

struct Place {
    index: usize,
    is_ready: AtomicBool,
    ready: Arc<ReadyStreams>,
}

impl<T> SelectAll<T> {
    pub(crate) fn new() -> Self {
        Self {
            streams: Vec::new(),
            ready: Arc::default(),
        }
    }

    pub(crate) fn push(&mut self, stream: Messages<T>) {
        let free = self.streams.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.streams.push(None);
            self.streams.len() - 1
        });
        let place = Arc::new(Place {
            index,
            is_ready: AtomicBool::new(false),
            ready: Arc::clone(&self.ready),
        });
        let waker = Waker::from(Arc::clone(&place));
        waker.wake_by_ref();
        self.streams[index] = Some(Open {
            stream,
            place,
            waker,
        });
    }
}

impl<T> Stream for SelectAll<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Registered before any poll, so that a stream that wakes meanwhile is not missed.
        self.ready.task.register(cx.waker());
        loop {
            let Some(index) = self.ready.lock().pop_front() else {
                let is_over = self.streams.iter().all(Option::is_none);
                return if is_over {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            };
            // A stream that has ended may have been woken before.
            let Some(open) = &mut self.streams[index] else {
                continue;
            };
            // Cleared before the poll, for the same reason.
            open.place.is_ready.store(false, Ordering::Release);
            let mut context = Context::from_waker(&open.waker);
            match open.stream.as_mut().poll_next(&mut context) {
                Poll::Ready(Some(item)) => {
                    // The stream may have more items, but the others come first.
                    open.place.enter();
                    return Poll::Ready(Some(item));
                }
                Poll::Ready(None) => self.streams[index] = None,
                Poll::Pending => {}
            }
        }
    }
}

impl ReadyStreams {
    fn lock(&self) -> MutexGuard<'_, VecDeque<usize>> {
        // No code that can panic runs under the lock.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Marks the stream as ready. Returns whether it was not yet.
    fn enter(&self) -> bool {
        let is_new = !self.is_ready.swap(true, Ordering::AcqRel);
        if is_new {
            self.ready.lock().push_back(self.index);
        }
        is_new
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.enter() {
            self.ready.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use futures_util::{StreamExt, stream};
    use tokio::sync::mpsc;

    use super::*;

    fn channel() -> (mpsc::UnboundedSender<u32>, Messages<u32>) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let messages = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (sender, Box::pin(messages))
    }

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn streams_take_turns_and_all_come_to_their_end() {
        let mut merged = SelectAll::new();
        for numbers in [vec![1, 2, 3], vec![], vec![11, 12]] {
            merged.push(Box::pin(stream::iter(numbers)));
        }
        let all: Vec<_> = merged.by_ref().collect().await;
        assert_eq!(all, [1, 11, 2, 12, 3]);
        merged.push(Box::pin(stream::iter([4])));
        assert_eq!(merged.streams.len(), 3);
        assert_eq!(merged.collect::<Vec<_>>().await, [4]);
    }

    #[tokio::test]
    async fn its_task_is_woken_once_for_what_comes_and_not_by_itself() {
        let mut merged = SelectAll::new();
        let ((one, first), (two, second)) = (channel(), channel());
        merged.push(first);
        merged.push(second);
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut poll = || pin!(merged.next()).poll(&mut Context::from_waker(&waker));
        assert_eq!(poll(), Poll::Pending);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        two.send(2).unwrap();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(), Poll::Ready(Some(2)));
        assert_eq!(poll(), Poll::Pending);
        one.send(1).unwrap();
        drop(two);
        assert_eq!(poll(), Poll::Ready(Some(1)));
        assert_eq!(poll(), Poll::Pending);
        drop(one);
        assert_eq!(poll(), Poll::Ready(None));
    }
}
