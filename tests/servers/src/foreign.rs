//! A foreign AMQP client that writes its frames by hand, so that it can send what no library would: properties that
//! are not UTF-8, headers longer than any frame of ours, tables nested without end.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use url::Url;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;
const BOUND: Duration = Duration::from_secs(30);

/// The properties of AMQP 0-9-1, in the order in which they are written.
const NAMES: [&str; 14] = [
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
];

/// Properties as bytes, whether they make sense or not.
#[derive(Debug, Clone, Default)]
pub struct ForeignProperties(BTreeMap<usize, Vec<u8>>);

impl ForeignProperties {
    /// Adds a property that is a text of at most 255 bytes, of any kind.
    pub fn text(self, property: &str, bytes: &[u8]) -> Self {
        let mut written = vec![u8::try_from(bytes.len()).unwrap()];
        written.extend(bytes);
        self.raw(property, written)
    }

    /// Adds a table of headers: what is in it, as [`header`] writes it.
    pub fn headers(self, entries: &[u8]) -> Self {
        self.raw("headers", long(entries))
    }

    /// Adds a property as it is written.
    pub fn raw(mut self, property: &str, bytes: Vec<u8>) -> Self {
        self.0.insert(NAMES.iter().position(|name| *name == property).unwrap(), bytes);
        self
    }

    /// The flags and values, as they follow the size of the body in a content header.
    pub fn bytes(&self) -> Vec<u8> {
        let flags = self.0.keys().fold(0_u16, |flags, at| flags | 0x8000 >> at);
        let mut bytes = flags.to_be_bytes().to_vec();
        self.0.values().for_each(|value| bytes.extend(value));
        bytes
    }
}

/// Writes an entry of a table: a name, the kind of its value, and the value as it is written.
pub fn header(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    let mut entry = vec![u8::try_from(name.len()).unwrap()];
    entry.extend(name);
    entry.push(kind);
    entry.extend(value);
    entry
}

/// Writes an entry of a table that is a text.
pub fn text_header(name: &str, value: &[u8]) -> Vec<u8> {
    header(name.as_bytes(), b'S', &long(value))
}

/// Writes an entry that is a table in a table in a table, so deep.
pub fn nested_header(depth: usize) -> Vec<u8> {
    let mut inner = Vec::new();
    for _ in 0..depth {
        inner = header(b"a", b'F', &long(&inner));
    }
    inner
}

/// Writes bytes with their length before them.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    let mut written = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    written.extend(bytes);
    written
}

/// A connection with a channel that confirms.
#[derive(Debug)]
pub struct ForeignClient {
    stream: TcpStream,
    frame_max: usize,
}

impl ForeignClient {
    /// Connects to a broker, and opens a channel that confirms.
    ///
    /// # Panics
    /// When it cannot, as all of this does.
    pub fn connect(url: &str) -> Self {
        let url = Url::parse(url).unwrap();
        let stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap_or(5672))).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let mut client = Self { stream, frame_max: 0 };
        client.stream.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
        client.expect(10, 10);
        let password = format!("\0{}\0{}", url.username(), url.password().unwrap_or_default());
        let mut start_ok = long(b"");
        start_ok.extend(b"\x05PLAIN");
        start_ok.extend(long(password.as_bytes()));
        start_ok.extend(b"\x05en_US");
        client.method(0, (10, 11), &start_ok);
        let tune = client.expect(10, 30);
        client.frame_max = u32::from_be_bytes(tune[2..6].try_into().unwrap()) as usize;
        client.method(0, (10, 31), &[&tune[..6], &[0, 0]].concat());
        let vhost = url.path().trim_start_matches('/').replace("%2f", "/").replace("%2F", "/");
        let vhost = if vhost.is_empty() { "/".to_owned() } else { vhost };
        client.method(0, (10, 40), &[short(vhost.as_bytes()), vec![0, 0]].concat());
        client.expect(10, 41);
        client.method(1, (20, 10), &[0]);
        client.expect(20, 11);
        client.method(1, (85, 10), &[0]);
        client.expect(85, 11);
        client
    }

    /// Publishes a message, and waits for the confirm. Where no queue takes it, it is confirmed all the same.
    pub fn publish(&mut self, exchange: &str, routing_key: &[u8], properties: &[u8], body: &[u8]) {
        let publish = [vec![0, 0], short(exchange.as_bytes()), short(routing_key), vec![0]].concat();
        self.method(1, (60, 40), &publish);
        let size = (body.len() as u64).to_be_bytes();
        self.frame(HEADER, 1, &[&[0, 60, 0, 0], &size[..], properties].concat());
        for chunk in body.chunks(self.frame_max - 8) {
            self.frame(BODY, 1, chunk);
        }
        self.expect(60, 80);
    }

    /// Declares a fanout exchange of its own and binds a queue to it: another way in.
    pub fn bind(&mut self, exchange: &str, queue: &str) {
        let declare = [vec![0, 0], short(exchange.as_bytes()), short(b"fanout"), vec![0], long(b"")].concat();
        self.method(1, (40, 10), &declare);
        self.expect(40, 11);
        let bind = [vec![0, 0], short(queue.as_bytes()), short(exchange.as_bytes()), vec![0, 0], long(b"")];
        self.method(1, (50, 20), &bind.concat());
        self.expect(50, 21);
    }

    fn method(&mut self, channel: u16, method: (u16, u16), arguments: &[u8]) {
        let payload = [&method.0.to_be_bytes(), &method.1.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload);
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let mut frame = vec![kind];
        frame.extend(channel.to_be_bytes());
        frame.extend(long(payload));
        frame.push(FRAME_END);
        self.stream.write_all(&frame).unwrap();
    }

    /// Reads the next method, which must be this one, and returns its arguments.
    fn expect(&mut self, class: u16, method: u16) -> Vec<u8> {
        loop {
            let mut start = [0; 7];
            self.stream.read_exact(&mut start).unwrap();
            let size = u32::from_be_bytes(start[3..].try_into().unwrap()) as usize;
            let mut payload = vec![0; size + 1];
            self.stream.read_exact(&mut payload).unwrap();
            if start[0] != METHOD {
                continue;
            }
            let found = (payload[0], payload[1], payload[2], payload[3]);
            let [a, b] = class.to_be_bytes();
            let [c, d] = method.to_be_bytes();
            assert_eq!(found, (a, b, c, d), "the server said {}", payload.escape_ascii());
            return payload[4..size].to_vec();
        }
    }
}

fn short(bytes: &[u8]) -> Vec<u8> {
    let mut written = vec![u8::try_from(bytes.len()).unwrap()];
    written.extend(bytes);
    written
}
