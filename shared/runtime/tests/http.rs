//! What clients leave undone costs the server a bounded number of connections for a bounded time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use millrace_runtime::Shutdown;
use millrace_runtime::http::{Bounds, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take that is not bounded by what is tested.
const SOON: Duration = Duration::from_secs(20);

/// More than what the system keeps of an answer that nobody reads.
const LARGE_BYTES: usize = 32 * 1024 * 1024;

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    /// A permit lets one request of `/slow` end.
    slow: Arc<Semaphore>,
    serving: JoinHandle<()>,
}

/// A server with these bounds. What a test does not bound takes long.
async fn server(bounds: impl FnOnce(Bounds) -> Bounds) -> Server {
    let long = Duration::from_secs(600);
    let wide = Bounds { connections: 100, head: long, body: long, stalled: long, drain: long };
    let (shutdown, slow) = (Shutdown::new(), Arc::new(Semaphore::new(0)));
    let permits = Arc::clone(&slow);
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/length", post(|body: String| async move { body.len().to_string() }))
        .route("/large", get(|| async { vec![b'x'; LARGE_BYTES] }))
        .route(
            "/slow",
            get(|| async move {
                permits.acquire().await.unwrap().forget();
                "done"
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, router, bounds(wide), shutdown.clone()));
    Server { address, shutdown, slow, serving }
}

impl Server {
    /// A connection on which this was sent.
    async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// What a request on a connection of its own is answered.
    async fn asked(&self, path: &str) -> String {
        let mut stream = self.sent(&request(path)).await;
        rest(&mut stream).await
    }

    /// Waits until the server has ended.
    async fn ended(self, within: Duration) {
        timeout(within, self.serving).await.expect("it ends").unwrap();
    }
}

/// A request that is the last of its connection.
fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
}

/// All that comes until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    drop(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_head_that_does_not_come_and_a_connection_without_a_request_are_closed() {
    let server = server(|bounds| Bounds { head: Duration::from_millis(300), ..bounds }).await;
    for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut stream = server.sent(sent).await;
        let began = Instant::now();
        let answer = rest(&mut stream).await;
        assert_eq!(answer.contains("200 OK"), sent.ends_with("\r\n\r\n"), "{sent:?}: {answer}");
        assert!(began.elapsed() < SOON / 2, "{sent:?}");
    }
    let mut large = server.sent(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000))).await;
    assert!(!rest(&mut large).await.contains("200 OK"), "a head of more than 64 KiB");
    // It comes byte by byte, and never ends.
    let mut stream = server.sent("GET / HTTP/1.1\r\nX: ").await;
    let dripped = async {
        while stream.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, dripped).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_answered_with_408_and_one_that_comes_slowly_is_read() {
    let server = server(|bounds| Bounds { body: Duration::from_millis(500), ..bounds }).await;
    let head = "POST /length HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n";
    let mut stopped = server.sent(&format!("{head}0123456789")).await;
    let answer = rest(&mut stopped).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("slow-body"), "{answer}");

    // 12 parts, 100 ms apart: longer than the bound, and faster than what is too slow.
    let mut slow = server.sent(head).await;
    for _ in 0..12 {
        sleep(Duration::from_millis(100)).await;
        slow.write_all(&[b'x'; 5_000]).await.unwrap();
    }
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("60000"), "{answer}");
}

#[tokio::test]
async fn when_all_connections_are_taken_the_one_that_is_idle_longest_makes_room_and_a_request_under_way_stays()
 {
    let server = server(|bounds| Bounds { connections: 8, ..bounds }).await;
    let mut busy = server.sent(&request("/slow")).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(server.sent("GET /").await);
        assert!(server.asked("/").await.ends_with("here"));
    }
    for first in &mut idle[..30] {
        assert_eq!(rest(first).await, "", "it was closed");
    }
    server.slow.add_permits(1);
    assert!(rest(&mut busy).await.ends_with("done"), "it was not");
}

#[tokio::test]
async fn when_all_connections_are_busy_a_new_one_waits_for_one_to_be_done() {
    let server = server(|bounds| Bounds { connections: 2, ..bounds }).await;
    let kept = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n";
    let _busy = (server.sent(kept).await, server.sent(kept).await);
    let asking = server.asked("/");
    tokio::pin!(asking);
    assert!(timeout(Duration::from_millis(300), asking.as_mut()).await.is_err(), "both are busy");
    server.slow.add_permits(1);
    assert!(timeout(SOON, asking).await.expect("one is idle now").ends_with("here"));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up_and_one_that_is_read_slowly_is_not() {
    let server = server(|bounds| Bounds {
        head: Duration::from_millis(300),
        stalled: Duration::from_millis(600),
        connections: 2,
        ..bounds
    })
    .await;
    let _unread = server.sent(&request("/large")).await;
    let mut slow = server.sent(&request("/large")).await;
    // Were the first not given up, both connections would be busy for ever.
    let mut read = 0;
    let mut buffer = vec![0; LARGE_BYTES / 16];
    while read < LARGE_BYTES {
        sleep(Duration::from_millis(50)).await;
        let got = timeout(SOON, slow.read(&mut buffer)).await.unwrap().unwrap();
        assert!(got > 0, "cut after {read} bytes");
        read += got;
    }
    assert!(timeout(SOON, server.asked("/")).await.expect("there is room").ends_with("here"));
}

#[tokio::test]
async fn the_end_lets_requests_under_way_end_and_does_not_wait_for_halves_of_requests() {
    let server = server(|bounds| Bounds { drain: Duration::from_secs(1), ..bounds }).await;
    let _halves = (
        server.sent("").await,
        server.sent("GET / HTTP/1.1\r\n").await,
        server.sent("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1").await,
    );
    let mut under_way = server.sent(&request("/slow")).await;
    assert!(server.asked("/").await.ends_with("here"));
    server.shutdown.begin();
    sleep(Duration::from_millis(400)).await;
    server.slow.add_permits(1);
    assert!(rest(&mut under_way).await.ends_with("done"));
    server.ended(SOON).await;
}
