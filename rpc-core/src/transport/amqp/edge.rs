//! Our side of lapin's socket: takes the messages out of what the broker sends.
//!
//! A message is what a peer wrote, so no part of it reaches lapin. lapin would copy it twice, wake
//! a task more for it, log it if the broker returns it, and give up the connection if a text in it
//! is not UTF-8. Here each message is read once, and goes to the [`Taps`]. lapin gets all the rest:
//! the methods of connections and channels, confirmations, heartbeats.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};

mod assembly;
pub(crate) mod frames;
mod layout;
mod methods;
#[cfg(any(test, feature = "__internals"))]
pub(crate) mod proof;
mod violation;

use super::taps::Taps;
use frames::Frames;

/// A stream to the broker. What is read from it has no messages in it. Written bytes pass through
/// unchanged.
#[derive(Debug)]
pub(super) struct Edge<S> {
    stream: S,
    frames: Frames,
    taps: Arc<Taps>,
    /// When lapin was last handed something.
    handed_out: Instant,
}

impl<S> Edge<S> {
    pub(super) fn new(stream: S, taps: Arc<Taps>) -> Self {
        Self {
            stream,
            frames: Frames::new(Arc::clone(&taps)),
            taps,
            handed_out: Instant::now(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Edge<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_vectored(context, &mut [IoSliceMut::new(buffer)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut reads = 0;
        // Until something can be handed out, or the stream is pending and will wake the task.
        while !this.frames.is_ready() {
            ready!(this.taps.unread.poll_room(context));
            if reads == MOST_READS {
                // lapin's thread also writes, and would not come to it under a flood of messages.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            reads += 1;
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, this.frames.space()))?;
            if read == 0 {
                // The end of the stream. An incomplete frame is of no use.
                return Poll::Ready(Ok(0));
            }
            this.frames.read(read)?;
            if !this.frames.is_ready() && this.handed_out.elapsed() > STAND_IN {
                this.frames.stand_in();
            }
        }
        this.handed_out = Instant::now();
        Poll::Ready(Ok(this.frames.hand_out(buffers)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Edge<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

/// How often the stream is read at most before lapin's thread goes on. A read brings at most 64
/// KiB.
const MOST_READS: u32 = 16;

/// lapin takes a connection on which it reads nothing for dead. So while messages come and nothing
/// else, it is handed a heartbeat this often. The shortest heartbeat timeout is a second.
const STAND_IN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
