//! The messages of a caller's reply queue, each delivered when it is due.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Sleep, sleep_until};

use super::queues::Arriving;
use crate::wire::message::Incoming;

/// Yields messages in the order in which they were sent, even if some are delayed.
pub(super) struct Replies {
    receiver: UnboundedReceiver<Arriving>,
    /// The next message, while it is not due yet.
    delayed: Option<(Pin<Box<Sleep>>, Incoming)>,
}

impl Replies {
    pub(super) fn new(receiver: UnboundedReceiver<Arriving>) -> Self {
        Self {
            receiver,
            delayed: None,
        }
    }
}

impl Stream for Replies {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        loop {
            if let Some((due, _)) = &mut self.delayed {
                ready!(due.as_mut().poll(cx));
            }
            if let Some((_, incoming)) = self.delayed.take() {
                return Poll::Ready(Some(incoming));
            }
            match ready!(self.receiver.poll_recv(cx)) {
                Some((Some(due), incoming)) => {
                    self.delayed = Some((Box::pin(sleep_until(due)), incoming));
                }
                arrived => return Poll::Ready(arrived.map(|(_, incoming)| incoming)),
            }
        }
    }
}
