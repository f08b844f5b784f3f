//! Accepts connections, serves each, and ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::body::{RequestBody, ResponseBody};
use super::descriptors;
use super::seats::{Seats, Taken};
use crate::Shutdown;

/// The bounds on what a client may take, in connections and in time.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The greatest number of connections at a time.
    pub connections: usize,
    /// The longest time for the head of a request, and for a connection without one.
    pub head: Duration,
    /// The longest time for a body; longer for a long one, in proportion to what has come of it.
    pub body: Duration,
    /// The longest time for which a client may take nothing of its answer.
    pub stalled: Duration,
    /// The longest time for which what has begun may go on once the end has.
    pub drain: Duration,
}

impl Default for Bounds {
    /// The bounds for a process that may have as many files open as this one.
    fn default() -> Self {
        Self {
            connections: descriptors::connections(),
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// The number of bytes that are read at a time. A head that is not whole after two reads, of 64 KiB, is refused.
const READ_BYTES: usize = 32 * 1024;

/// The time for which a connection without a request is waited for once the end has begun: a request may be on its
/// way.
const LAST_CALL: Duration = Duration::from_millis(250);

/// The pause in accepting after the system has refused a connection, which it would at once do again.
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// The interval after which a trouble that goes on is logged again.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The answer to a client whose body took too long, in the form of all refusals of the API. This crate does not know the
/// codes of those: the API's tests hold this one against them.
pub const SLOW_BODY: &str = r#"{"error":{"code":"slow-body","message":"the body did not arrive in time: expected it within 30 s, and a second more for each 16 KiB"}}"#;

/// Serves until the shutdown, and then as long as what has begun takes, within the bounds.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, shutdown: Shutdown) {
    let seats = Seats::new(bounds.connections);
    let connections = TaskTracker::new();
    let (mut refused, mut crowded) = (LogThrottle::default(), LogThrottle::default());
    loop {
        let stream = tokio::select! {
            biased;
            () = shutdown.begun() => break,
            stream = accept(&listener, &mut refused) => stream,
        };
        let taken = match seats.try_take() {
            Some(taken) => taken,
            None => {
                if crowded.is_due() {
                    tracing::warn!(
                        connections = bounds.connections,
                        "all connections to the API are taken: for each new one, the one that was idle longest is closed"
                    );
                }
                tokio::select! {
                    biased;
                    () = shutdown.begun() => break,
                    taken = seats.take() => taken,
                }
            }
        };
        connections.spawn(connection(stream, router.clone(), taken, bounds, shutdown.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Accepts the next connection. Failures of the system are waited out: others may give back what they have open.
async fn accept(listener: &TcpListener, refused: &mut LogThrottle) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                if refused.is_due() {
                    tracing::warn!(%error, "connections cannot be accepted; trying again");
                }
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, taken: Taken, bounds: Bounds, shutdown: Shutdown) {
    // Answers are small and somebody waits for each: send them at once.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(bounds.stalled));
    let seat = Arc::clone(taken.seat());
    let service =
        service_fn(|request: Request<Incoming>| answer(router.clone(), request, &taken, bounds.body));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(READ_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(serving);
    let ended = loop {
        tokio::select! {
            ended = serving.as_mut() => break ended,
            // A request may have come in this moment: it is answered, and then the connection is closed.
            () = seat.asked_to_leave() => match seat.waits() {
                true => return,
                false => serving.as_mut().graceful_shutdown(),
            },
            () = shutdown.begun() => {
                serving.as_mut().graceful_shutdown();
                match timeout(LAST_CALL, serving.as_mut()).await {
                    Ok(ended) => break ended,
                    Err(_) if seat.waits() => return,
                    Err(_) => break timeout(bounds.drain, serving.as_mut()).await.unwrap_or(Ok(())),
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
    }
}

/// Answers one request.
async fn answer(
    router: Router,
    request: Request<Incoming>,
    taken: &Taken,
    patience: Duration,
) -> Result<Response, Infallible> {
    let turn = taken.turn();
    let request = request.map(|body| match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(RequestBody::new(body, patience, Arc::clone(turn.seat()))),
    });
    let response = router.oneshot(request).await?;
    let response = match turn.seat().is_late.load(Ordering::Acquire) {
        false => response,
        true => {
            let headers = [(CONTENT_TYPE, "application/json"), (CONNECTION, "close")];
            (StatusCode::REQUEST_TIMEOUT, headers, SLOW_BODY).into_response()
        }
    };
    Ok(response.map(|body| Body::new(ResponseBody::new(body, turn))))
}

/// The throttle of a log line: it is written rarely, however often its reason occurs.
#[derive(Debug, Default)]
struct LogThrottle(Option<Instant>);

impl LogThrottle {
    /// Whether it is time to write the line.
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() > SAY_AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}
