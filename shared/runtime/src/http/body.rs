//! Bodies: a request's on its way in, which has to keep coming, and an answer's on its way out, which keeps its
//! connection.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::seats::{Seat, Turn};

/// The slowest rate of a body, in bytes a second: one that stays below it for long is given up.
const SLOWEST: f64 = 16.0 * 1024.0;

/// The body of a request, which is an error once it has taken too long.
pub(super) struct RequestBody {
    body: Incoming,
    until: Instant,
    wake: Option<Pin<Box<Sleep>>>,
    seat: Arc<Seat>,
}

impl RequestBody {
    /// A body that may take `patience`, and longer in proportion to what has come of it.
    pub(super) fn new(body: Incoming, patience: Duration, seat: Arc<Seat>) -> Self {
        Self { body, until: Instant::now() + patience, wake: None, seat }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                self.until += Duration::from_secs_f64(data.len() as f64 / SLOWEST);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let until = self.until;
        let wake = self.wake.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if wake.deadline() != until {
            wake.as_mut().reset(until);
        }
        ready!(wake.as_mut().poll(cx));
        self.seat.is_late.store(true, Ordering::Release);
        Poll::Ready(Some(Err("the body did not arrive in time".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The number of bytes of an answer that are handed on at a time: what was handed on does not tell whether its client
/// takes it.
const PIECE_BYTES: usize = 32 * 1024;

/// The body of an answer, in pieces. Until the last is taken, the connection is not one that waits for its client.
pub(super) struct ResponseBody {
    body: axum::body::Body,
    rest: Bytes,
    _turn: Turn,
}

impl ResponseBody {
    /// The body of an answer to the request whose turn it is.
    pub(super) fn new(body: axum::body::Body, turn: Turn) -> Self {
        Self { body, rest: Bytes::new(), _turn: turn }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(rest + hint.lower());
        if let Some(upper) = hint.upper() {
            whole.set_upper(rest + upper);
        }
        whole
    }
}
