//! What comes to the reply queue of a caller, at its time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Sleep, sleep_until};

use super::queues::Arriving;
use crate::wire::message::Incoming;

/// In the order of their sending, also if some are late.
pub(super) struct Replies {
    receiver: UnboundedReceiver<Arriving>,
    /// The next one, which is not due yet.
    late: Option<(Pin<Box<Sleep>>, Incoming)>,
}

impl Replies {
    pub(super) fn new(receiver: UnboundedReceiver<Arriving>) -> Self {
        Self {
            receiver,
            late: None,
        }
    }
}

impl Stream for Replies {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        loop {
            if let Some((due, _)) = &mut self.late {
                ready!(due.as_mut().poll(cx));
            }
            if let Some((_, incoming)) = self.late.take() {
                return Poll::Ready(Some(incoming));
            }
            match ready!(self.receiver.poll_recv(cx)) {
                Some((Some(due), incoming)) => {
                    self.late = Some((Box::pin(sleep_until(due)), incoming));
                }
                arrived => return Poll::Ready(arrived.map(|(_, incoming)| incoming)),
            }
        }
    }
}
