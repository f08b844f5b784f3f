//! Free ports on loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The first port of a range below the one that the system takes outgoing ports from, so that nothing takes the port
/// while a server is down between `stop` and `start_again`.
const FIRST: u32 = 18_000;
const COUNT: u32 = 14_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on now. Processes start at different places of the range, so that test binaries
/// that run side by side seldom meet.
pub fn free() -> u16 {
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if let Ok(port) = u16::try_from(FIRST + offset)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {} on loopback", FIRST + COUNT);
}

/// Connects to `port` on loopback, with bounded reads and writes.
pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let bound = Duration::from_secs(1);
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), bound)?;
    stream.set_read_timeout(Some(bound))?;
    stream.set_write_timeout(Some(bound))?;
    Ok(stream)
}
