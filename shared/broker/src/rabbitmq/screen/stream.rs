//! A connection to the server, whose reads go through the screen.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::frames::Frames;

/// A stream that is screened: what is read of it is harmless, what is written to it passes.
#[derive(Debug)]
pub(crate) struct Screened<S> {
    stream: S,
    frames: Frames,
}

impl<S> Screened<S> {
    /// A screened stream on which frames of at most `frame_max` bytes are asked for; 0 leaves it to the server.
    pub(crate) fn new(stream: S, frame_max: u32) -> Self {
        Self { stream, frames: Frames::new(frame_max) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Screened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Self { stream, frames } = &mut *self;
        loop {
            let count = frames.hand_on(out);
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            match ready!(Pin::new(&mut *stream).poll_read(context, frames.room()))? {
                0 => return Poll::Ready(Ok(0)),
                count => frames.filled(count),
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Screened<S> {
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
        bytes: &[io::IoSlice<'_>],
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
