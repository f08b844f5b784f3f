//! The screen under mutated frames, driven by a seed: `MILLRACE_FUZZ_SEED` begins elsewhere, `MILLRACE_FUZZ_SECONDS`
//! goes on for longer than the tests do. What was found to be wrong once is in the corpus.

use std::time::{Duration, Instant};

use amq_protocol::frame::{AMQPFrame, parse_frame};

use super::content;
use super::frames::Frames;

const FRAME_MAX: usize = 32 * 1024;
/// The library's parser calls itself for each table in a table: the test's own thread bears so many.
const DEEPEST: usize = 64;

/// A generator of numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next(256) as u8).collect()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.next(from.len())]
    }
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len().min(255) as u8][..], &bytes[..bytes.len().min(255)]].concat()
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &long(payload), &[0xce]].concat()
}

/// A table's value, with tables in it now and then.
fn value(dice: &mut Dice, depth: usize) -> Vec<u8> {
    let kind = *dice.pick(b"SSSSxAFVtbBsuUIifDlLdTz");
    let value = match kind {
        b'S' | b'x' => {
            let count = *dice.pick(&[0, 1, 7, 300, 9_000]);
            match dice.next(2) {
                0 => long(&vec![b'v'; count]),
                _ => long(&dice.bytes(count)),
            }
        }
        b'A' if depth < DEEPEST => long(&value(dice, depth + 1)),
        b'F' if depth < DEEPEST => long(&table(dice, depth + 1)),
        b'A' | b'F' => long(b""),
        b'V' => Vec::new(),
        b't' | b'b' | b'B' => dice.bytes(1),
        b's' | b'u' | b'U' => dice.bytes(2),
        b'I' | b'i' | b'f' => dice.bytes(4),
        b'D' => dice.bytes(5),
        _ => dice.bytes(8),
    };
    [&[kind][..], &value].concat()
}

fn table(dice: &mut Dice, depth: usize) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 0..*dice.pick(&[0, 1, 1, 2, 5, 40]) / (depth + 1) {
        let name = match dice.next(4) {
            0 => dice.bytes(3),
            1 => b"x-millrace-unreadable".to_vec(),
            _ => b"traceparent".to_vec(),
        };
        table.extend(short(&name));
        table.extend(value(dice, depth));
    }
    table
}

/// A content header as a client might write it.
fn header(dice: &mut Dice) -> Vec<u8> {
    let flags = dice.bytes(2);
    let flags = u16::from_be_bytes([flags[0], flags[1]]) & *dice.pick(&[0xfffc, 0xfffc, 0xfffc, 0xffff]);
    let mut payload = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &flags.to_be_bytes()].concat();
    for property in 0..14 {
        if flags & (0x8000 >> property) == 0 {
            continue;
        }
        match property {
            2 => payload.extend(long(&table(dice, 0))),
            3 | 4 => payload.extend(dice.bytes(1)),
            9 => payload.extend(dice.bytes(8)),
            _ if dice.next(8) == 0 => payload.extend(short(&dice.bytes(5))),
            _ => payload.extend(short(b"a text")),
        }
    }
    payload
}

/// Bytes changed, cut out, doubled or put in somewhere.
fn mutate(dice: &mut Dice, payload: &mut Vec<u8>) {
    for _ in 0..dice.next(4) {
        let at = dice.next(payload.len());
        match dice.next(5) {
            0 => payload.truncate(at),
            1 => payload.insert(at.min(payload.len()), dice.next(256) as u8),
            2 if !payload.is_empty() => payload[at] = dice.next(256) as u8,
            3 if !payload.is_empty() => payload[at] ^= 1 << dice.next(8),
            _ => {
                let end = (at + dice.next(40)).min(payload.len());
                let piece = payload[at.min(end)..end].to_vec();
                payload.splice(at..at, piece);
            }
        }
    }
}

/// What comes out when it comes in pieces of any size.
fn screened(dice: &mut Dice, input: &[u8]) -> Vec<u8> {
    let mut frames = Frames::new(FRAME_MAX as u32);
    let (mut out, mut piece) = (Vec::new(), vec![0; 1 + dice.next(5_000)]);
    let mut rest = input;
    loop {
        match frames.hand_on(&mut piece) {
            0 if rest.is_empty() => return out,
            0 => {
                let room = frames.room();
                assert!(!room.is_empty() && room.len() <= 256 * 1024, "room for {}", room.len());
                let count = room.len().min(rest.len()).min(1 + dice.next(70_000));
                room[..count].copy_from_slice(&rest[..count]);
                frames.filled(count);
                rest = &rest[count..];
            }
            count => out.extend(&piece[..count]),
        }
    }
}

/// The library reads all of it: these frames, and nothing after them.
fn parsed(mut bytes: &[u8]) -> Vec<AMQPFrame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (rest, frame) = parse_frame(bytes).expect("a frame that the library reads");
        assert!(bytes.len() - rest.len() <= FRAME_MAX, "a frame of {}", bytes.len() - rest.len());
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// One content header between a body and another: the library reads it, and what is beside it is untouched.
fn check(dice: &mut Dice, payload: &[u8]) {
    let before = frame(3, 1, b"the end of the message before");
    let given = frame(2, 7, payload);
    let after = frame(3, 7, &[0xce; 300]);
    let out = screened(dice, &[&before[..], &given, &after].concat());
    let frames = parsed(&out);
    assert_eq!(frames.len(), 3, "{frames:?}");
    assert!(out.starts_with(&before) && out.ends_with(&after));
    assert!(matches!(&frames[1], AMQPFrame::Header(7, header) if header.class_id == 60), "{frames:?}");
    let kept = &out[before.len()..out.len() - after.len()];
    if content::is_ordinary(payload) && given.len() <= FRAME_MAX {
        assert_eq!(kept, given);
    }
}

/// Headers that were found to cost a connection, or that are at an edge.
fn corpus() -> Vec<Vec<u8>> {
    let basic = |flags: u16, rest: &[u8]| {
        [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &flags.to_be_bytes(), rest].concat()
    };
    let nested = |depth: usize| {
        (0..depth).fold(Vec::new(), |inner, _| [&short(b"a")[..], b"F", &long(&inner)].concat())
    };
    let table = |entries: &[u8]| basic(0x2000, &long(entries));
    vec![
        Vec::new(),
        vec![0, 60],
        basic(0, b""),
        basic(0, b"more"),
        basic(0x0080, b"\x02\xff\xfe"),
        basic(0x8000, b"\x05abc"),
        basic(0x8001, b"\x01a"),
        basic(0xfffc, b""),
        basic(0x2000, b"\xff\xff\xff\xff"),
        table(b""),
        table(&nested(1_000)),
        table(&nested(10_000)),
        table(b"\x01az"),
        table(b"\x01aS\x00\x00\x00\x09short"),
        table(b"\x01aS\xff\xff\xff\xff"),
        table(b"\xff"),
        table(&[&short(b"a")[..], b"S", &long(&vec![b'x'; 40_000])].concat()),
        table(&[&short(b"a")[..], b"S", &long(&vec![b'x'; 131_000])].concat()),
        table(&[&short(b"a")[..], b"S", &long(&vec![b'x'; 500_000])].concat()),
        table(&[&short(b"a")[..], b"x", &long(&vec![b'x'; FRAME_MAX - 34])].concat()),
        table(&[&short(b"x-millrace-unreadable")[..], b"S", &long(b"forged")].concat()),
        table(&short(b"a").into_iter().chain(*b"V").cycle().take(30_000).collect::<Vec<_>>()),
    ]
}

#[test]
fn what_was_found_once_is_borne() {
    let mut dice = Dice(1);
    for payload in corpus() {
        for _ in 0..20 {
            check(&mut dice, &payload);
        }
    }
}

#[test]
fn every_content_header_is_one_that_the_library_reads() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("MILLRACE_FUZZ_SEED").unwrap_or(1);
    let until = Instant::now() + Duration::from_secs(number("MILLRACE_FUZZ_SECONDS").unwrap_or(1));
    let mut count = 0;
    let corpus = corpus();
    while Instant::now() < until {
        let mut dice = Dice(seed.wrapping_add(count));
        let mut payload = match dice.next(4) {
            0 => dice.pick(&corpus).clone(),
            _ => header(&mut dice),
        };
        mutate(&mut dice, &mut payload);
        let told = std::panic::catch_unwind(move || check(&mut dice, &payload));
        assert!(told.is_ok(), "MILLRACE_FUZZ_SEED={} finds it at once", seed.wrapping_add(count));
        count += 1;
    }
    println!("{count} content headers from seed {seed} on");
}

#[test]
fn every_delivery_is_one_that_the_library_reads() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let (size, ours) = (dice.next(256), dice.next(20));
        let (exchange, key) = (short(&dice.bytes(ours)), short(&dice.bytes(size)));
        let numbers = dice.bytes(8);
        let method = match dice.next(3) {
            0 => [&[0, 60, 0, 60][..], &short(b"tag"), &numbers, &[1], &exchange, &key].concat(),
            1 => [&[0, 60, 0, 71][..], &numbers, &[0], &exchange, &key, &[0, 0, 0, 1]].concat(),
            _ => [&[0, 60, 0, 50][..], &numbers[..2], &short(b"NO_ROUTE"), &exchange, &key].concat(),
        };
        let input = [frame(1, 1, &method), frame(8, 0, b""), frame(1, 2, &method)].concat();
        let out = screened(&mut dice, &input);
        assert_eq!(out.len(), input.len());
        assert_eq!(parsed(&out).len(), 3);
    }
}

/// `cargo test --release -p millrace-broker --lib screen -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_long_a_small_message_takes() {
    const MESSAGES: usize = 200_000;
    let header = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0xb0, 0][..], &short(b"application/json")].concat();
    let table = long(&[&short(b"x-millrace-sequence")[..], b"l", &[0; 8]].concat());
    let header = [&header[..], &table, &[2]].concat();
    let deliver =
        [&[0, 60, 0, 60][..], &short(b"ctag1"), &[0; 9], &short(b"millrace"), &short(b"tasks.default")]
            .concat();
    for body in [512, 16 * 1024] {
        let message = [frame(1, 1, &deliver), frame(2, 1, &header), frame(3, 1, &vec![b'x'; body])].concat();
        let input = message.repeat(MESSAGES / 100);
        let mut frames = Frames::new(FRAME_MAX as u32);
        let mut out = vec![0; 1024 * 1024];
        let began = Instant::now();
        for _ in 0..100 {
            let mut rest = &input[..];
            loop {
                match frames.hand_on(&mut out) {
                    0 if rest.is_empty() => break,
                    0 => {
                        let room = frames.room();
                        let count = room.len().min(rest.len());
                        room[..count].copy_from_slice(&rest[..count]);
                        frames.filled(count);
                        rest = &rest[count..];
                    }
                    count => assert!(out[count - 1] != 1),
                }
            }
        }
        let each = began.elapsed().as_nanos() / MESSAGES as u128;
        let bytes = (input.len() * 100) as f64 / began.elapsed().as_secs_f64() / 1e9;
        println!("a body of {body} bytes: {each} ns a message, {bytes:.1} GB/s");
    }
}
