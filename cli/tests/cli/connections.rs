//! Clients that hold connections, or send half a request: the server works on, and ends when it is asked to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::dev::Dev;
use crate::http;

/// Opens a connection, and sends a text on it.
fn sent(dev: &Dev, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&dev.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = stream.write_all(text.as_bytes());
    stream
}

#[test]
fn more_idle_connections_than_there_may_be_files_keep_nobody_out() {
    let dev = Dev::start_with_files(256, &["--concurrency", "8"]);
    let mut slow = sent(&dev, "GET /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut head = [0; 12];
    slow.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let mut idle = Vec::new();
    for n in 0..400 {
        idle.push(sent(&dev, ["", "GET / HTT", "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\n"][n % 3]));
    }
    let began = Instant::now();
    assert_eq!(http::get(&dev.address, "/readyz").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Tasks need files: pipes, outputs, logs.
    let ids: Vec<String> = (0..20).map(|n| dev.submit(&format!("echo {n}"))).collect();
    for id in ids {
        assert_eq!(dev.ended(&id)["state"], "succeeded");
    }
    assert!(!dev.said.lock().unwrap().contains("os error 24"), "{}", dev.said.lock().unwrap());
    let said = dev.said.lock().unwrap().matches("all connections to the API are taken").count();
    assert_eq!(said, 1, "it says so once");
}

#[test]
fn half_a_request_does_not_keep_a_server_from_ending() {
    let dev = Dev::start(&[]);
    let post = "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let _halves = [
        sent(&dev, ""),
        sent(&dev, "GET /api"),
        sent(&dev, post),
        sent(&dev, &format!("{post}Content-Length: 100\r\n\r\n{{")),
    ];
    assert_eq!(dev.get("/readyz").status, 200);
    let began = Instant::now();
    assert_eq!(dev.stop(), 0);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
