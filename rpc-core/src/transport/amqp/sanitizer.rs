//! Replaces frames that lapin cannot read.
//!
//! lapin drops the connection when a short string is not UTF-8 or a header has an unknown type. It
//! overflows its stack when headers are nested deeply enough. The broker delivers a message of
//! this kind to a consumer, and redelivers it to the next one. So a single message could stop all
//! servers of a queue. Here it is replaced by a message that is marked as unreadable.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

pub(crate) mod amqp_frames;
mod header;
mod layout;
mod methods;
#[cfg(any(test, feature = "__internals"))]
pub(crate) mod proof;

use amqp_frames::Frames;

/// A stream to the broker. Every frame that is read from it is one that lapin can read. Written
/// bytes pass through unchanged.
#[derive(Debug)]
pub(super) struct FrameSanitizer<S> {
    stream: S,
    frames: Frames,
}

impl<S> FrameSanitizer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameSanitizer<S> {
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
        let Self { stream, frames } = self.get_mut();
        // Until something can be handed out, or the stream is pending and will wake the task.
        while !frames.is_ready() {
            let read = ready!(Pin::new(&mut *stream).poll_read(context, frames.space()))?;
            if read == 0 {
                // The end of the stream. An incomplete frame is of no use.
                return Poll::Ready(Ok(0));
            }
            frames.read(read);
        }
        Poll::Ready(Ok(frames.hand_out(buffers)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameSanitizer<S> {
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

#[cfg(test)]
mod tests;
