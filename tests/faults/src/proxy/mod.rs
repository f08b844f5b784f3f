//! A TCP proxy between one process and one server, which can be told to misbehave: to refuse, to swallow, to delay,
//! to cut at any byte, to eat acks. It is no server, and outlives the restarts of the one behind it.

mod frames;
mod mode;
mod pump;

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use mode::{Mode, Way};

use crate::dice::Dice;
use frames::Frames;
use pump::Pump;

/// The protocol that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// AMQP 0-9-1: bytes travel in frames, so that single acks can be eaten.
    Amqp,
    /// Any other protocol.
    Bytes,
}

/// A running proxy. Its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy that listens on a port of its own on loopback, for the server on the port `server`.
    pub async fn start(server: u16, protocol: Protocol, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, millrace_servers::free_port())).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = watch::Sender::new(Mode::Pass);
        let cuts = watch::Sender::new(0);
        let (modes, cut) = (mode.subscribe(), cuts.subscribe());
        let accepting = tokio::spawn(async move {
            let mut dice = Dice::new(seed);
            while let Ok((client, _)) = listener.accept().await {
                if *modes.borrow() == Mode::Refuse {
                    continue;
                }
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(carry(client, server, protocol, modes.clone(), cut, dice.roll()));
            }
        });
        Self { port, mode, cuts, accepting }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the proxy does from now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends all connections that are there.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// Carries one connection, until either side ends it, or it is cut.
async fn carry(
    client: TcpStream,
    server: u16,
    protocol: Protocol,
    mut mode: watch::Receiver<Mode>,
    mut cut: watch::Receiver<u64>,
    seed: u64,
) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let frames = |way| (protocol == Protocol::Amqp).then(|| Frames::new(way));
    let pump = |way, seed| Pump::new(way, frames(way), mode.clone(), Dice::new(seed));
    let (up, down) = (pump(Way::Up, seed), pump(Way::Down, !seed));
    select! {
        () = up.run(from_client, to_server) => {}
        () = down.run(from_server, to_client) => {}
        _ = cut.changed() => {}
        _ = mode.wait_for(|mode| *mode == Mode::Refuse) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// A server that answers each byte with the same, and a client of it through a proxy.
    async fn echo() -> (Proxy, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        let proxy = Proxy::start(port, Protocol::Bytes, 7).await;
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap();
        (proxy, client)
    }

    async fn answer(client: &mut TcpStream, within: Duration) -> Option<u8> {
        client.write_all(b"x").await.ok()?;
        timeout(within, client.read_u8()).await.ok()?.ok()
    }

    #[tokio::test]
    async fn a_hole_swallows_nothing_for_good_a_delay_takes_its_time_and_a_cut_ends_a_connection() {
        let (proxy, mut client) = echo().await;
        assert_eq!(answer(&mut client, Duration::from_secs(5)).await, Some(b'x'));
        proxy.set(Mode::Hole(Some(Way::Down)));
        assert_eq!(answer(&mut client, Duration::from_millis(200)).await, None);
        proxy.set(Mode::Pass);
        assert_eq!(client.read_u8().await.unwrap(), b'x');

        proxy.set(Mode::Delay(Duration::from_millis(150)));
        let asked = Instant::now();
        assert_eq!(answer(&mut client, Duration::from_secs(5)).await, Some(b'x'));
        assert!(asked.elapsed() >= Duration::from_millis(300));

        proxy.set(Mode::Cut(40));
        let mut passed = 0;
        while answer(&mut client, Duration::from_secs(5)).await.is_some() {
            passed += 1;
        }
        assert!(passed < 40, "{passed}");
        proxy.set(Mode::Refuse);
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap();
        assert_eq!(answer(&mut client, Duration::from_secs(5)).await, None);
    }
}
