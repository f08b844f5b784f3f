//! The frames that come from the server, one after the other, and which of their bytes may be handed on.

use super::{content, method};

/// The number of bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// The greatest number of bytes that are read of one content header: RabbitMQ's own bound, unless its configuration
/// says another.
const LONGEST_READ_BYTES: usize = 128 * 1024;

/// The shortest bound on frames that AMQP allows.
const SHORTEST_LIMIT_BYTES: usize = 4096;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;
/// The number of bytes before the payload of a frame: its type, its channel and its size. After it comes the end.
const BEFORE: usize = 7;
const AFTER: usize = 1;

/// The frames that were read, in order: handed on already, to be handed on, not looked at yet. Nothing is moved but
/// what is left over at the end of a read, and what is not whole.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    handed: usize,
    ready: usize,
    filled: usize,
    /// The frame of ours that goes out before anything else, in the place of the last one that was looked at.
    instead: Vec<u8>,
    instead_handed: usize,
    /// The number of bytes that pass as they come: the rest of a body.
    passing: u64,
    /// The number of bytes that are dropped as they come: the rest of a content header that is too long.
    dropping: u64,
    /// The longest frame that the library takes, if we said one; the server may lower it.
    limit: usize,
}

impl Frames {
    /// The frames of a stream, each of at most `frame_max` bytes; 0 leaves it to the server.
    pub(super) fn new(frame_max: u32) -> Self {
        Self {
            buffer: vec![0; READ_BYTES],
            handed: 0,
            ready: 0,
            filled: 0,
            instead: Vec::new(),
            instead_handed: 0,
            passing: 0,
            dropping: 0,
            limit: bounded(frame_max),
        }
    }

    /// Puts what may be handed on into `out`, which has room, and says how much that is. 0 when more has to be read.
    pub(super) fn hand_on(&mut self, out: &mut [u8]) -> usize {
        loop {
            if self.instead_handed < self.instead.len() {
                return copy(&self.instead, &mut self.instead_handed, out);
            }
            if self.handed < self.ready {
                return copy(&self.buffer[..self.ready], &mut self.handed, out);
            }
            if !self.look() {
                return 0;
            }
        }
    }

    /// The room to read more into, once [`Frames::hand_on`] said 0.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.ready..self.filled, 0);
        self.filled -= self.ready;
        (self.handed, self.ready) = (0, 0);
        if self.filled == self.buffer.len() {
            self.buffer.resize(LONGEST_READ_BYTES + READ_BYTES, 0);
        } else if self.buffer.len() > READ_BYTES && self.filled < READ_BYTES {
            self.buffer.truncate(READ_BYTES);
            self.buffer.shrink_to_fit();
        }
        &mut self.buffer[self.filled..]
    }

    /// Notes that so much was read into [`Frames::room`].
    pub(super) fn filled(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.buffer.len());
    }

    /// Looks at what was read, and says whether there is something to hand on now.
    fn look(&mut self) -> bool {
        loop {
            if self.dropping > 0 {
                self.ready += within(&mut self.dropping, self.filled - self.ready);
                self.handed = self.ready;
                if self.dropping > 0 {
                    return false;
                }
            }
            self.ready += within(&mut self.passing, self.filled - self.ready);
            let found = self.handed < self.ready;
            if self.passing > 0 {
                return found;
            }
            let Some(Start { kind, channel, size }) = Start::read(&self.buffer[self.ready..self.filled])
            else {
                return found;
            };
            let whole = (BEFORE + AFTER) as u64 + u64::from(size);
            match kind {
                BODY | HEARTBEAT => self.passing = whole,
                METHOD | HEADER => {
                    let read = usize::try_from(whole).unwrap_or(usize::MAX).min(LONGEST_READ_BYTES);
                    let end = self.ready + read;
                    if end > self.filled {
                        return found;
                    }
                    let payload = self.ready + BEFORE..end - AFTER;
                    let is_whole = read as u64 == whole;
                    if is_whole && self.buffer[end - 1] != FRAME_END || !is_whole && kind == METHOD {
                        // Not a frame, nor a method of any server: the library says what is wrong.
                        self.passing = u64::MAX;
                    } else if kind == METHOD {
                        let payload = &mut self.buffer[payload];
                        method::make_harmless(payload);
                        if let Some(offered) = method::offered_frame_max(payload) {
                            self.limit = self.limit.min(bounded(offered));
                        }
                        self.ready = end;
                    } else if read <= self.limit
                        && is_whole
                        && content::is_ordinary(&self.buffer[payload.clone()])
                    {
                        self.ready = end;
                    } else if found {
                        // What came before it goes first.
                        return true;
                    } else {
                        self.instead = content::instead(channel, &self.buffer[payload], size, self.limit);
                        self.instead_handed = 0;
                        (self.handed, self.ready) = (end, end);
                        self.dropping = whole - read as u64;
                        return true;
                    }
                }
                // The server speaks another protocol: for the library to say.
                _ => self.passing = u64::MAX,
            }
        }
    }
}

/// The start of a frame.
struct Start {
    kind: u8,
    channel: [u8; 2],
    size: u32,
}

impl Start {
    fn read(from: &[u8]) -> Option<Self> {
        let [kind, high, low, size @ ..]: [u8; BEFORE] = from.get(..BEFORE)?.try_into().ok()?;
        Some(Self { kind, channel: [high, low], size: u32::from_be_bytes(size) })
    }
}

/// The longest frame that the library takes when this is said to it; 0 says nothing.
fn bounded(frame_max: u32) -> usize {
    match usize::try_from(frame_max) {
        Ok(0) | Err(_) => LONGEST_READ_BYTES,
        Ok(said) => said.clamp(SHORTEST_LIMIT_BYTES, LONGEST_READ_BYTES),
    }
}

/// The number of the `count` bytes that are still wanted; they count as taken.
fn within(wanted: &mut u64, count: usize) -> usize {
    let taken = usize::try_from(*wanted).unwrap_or(usize::MAX).min(count);
    *wanted -= taken as u64;
    taken
}

fn copy(from: &[u8], at: &mut usize, out: &mut [u8]) -> usize {
    let count = out.len().min(from.len() - *at);
    out[..count].copy_from_slice(&from[*at..*at + count]);
    *at += count;
    count
}
