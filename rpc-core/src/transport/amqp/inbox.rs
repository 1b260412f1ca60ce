//! What a client's connection has received and its session has not taken yet.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::unread::Unread;
use crate::transport::Messages;
use crate::wire::message::Incoming;

/// Where the edge puts what it receives.
#[derive(Clone)]
pub(super) struct Inbox {
    sender: mpsc::UnboundedSender<Incoming>,
    unread: Arc<Unread>,
}

/// What was put into an inbox. It ends when the last clone of the inbox is dropped.
struct Received {
    receiver: mpsc::UnboundedReceiver<Incoming>,
    unread: Arc<Unread>,
}

/// A new inbox, and the stream of what is put into it, which `unread` bounds.
pub(super) fn inbox(unread: &Arc<Unread>) -> (Inbox, Messages<Incoming>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let inbox = Inbox {
        sender,
        unread: Arc::clone(unread),
    };
    let received = Received {
        receiver,
        unread: Arc::clone(unread),
    };
    (inbox, Box::pin(received))
}

impl Inbox {
    pub(super) fn put(&self, incoming: Incoming) {
        let size = size_of(&incoming);
        self.unread.add(size);
        if self.sender.send(incoming).is_err() {
            // The session is over.
            self.unread.remove(size);
        }
    }
}

impl Stream for Received {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let next = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(incoming)) = &next {
            self.unread.remove(size_of(incoming));
        }
        next
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.receiver.close();
        // Otherwise the connection would not be read any more, not even for its end.
        while let Ok(incoming) = self.receiver.try_recv() {
            self.unread.remove(size_of(&incoming));
        }
    }
}

/// About how many bytes it takes.
fn size_of(incoming: &Incoming) -> usize {
    let body = match incoming {
        Incoming::Reply(message) | Incoming::Returned(message) => message.body.len(),
        Incoming::Ended(_) => 0,
    };
    mem::size_of::<Incoming>() + body
}
