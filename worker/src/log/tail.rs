//! The newest output of tasks that have written more than the head of their log holds. It waits in memory until the
//! task ends, each task's within a bound of its own and all together within one; what is older is left out and
//! counted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_store::LogChunk;

/// How much a chunk costs in memory beside its text.
const CHUNK_OVERHEAD_BYTES: usize = 128;

/// The tails of all attempts of a worker.
#[derive(Debug)]
pub(crate) struct Tails {
    limit_bytes: usize,
    held: Mutex<Held>,
}

/// The id of one attempt's tail, as long as its log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TailId(u64);

/// The tail of one attempt: what is kept of it, and how much is not.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub(crate) chunks: Vec<LogChunk>,
    pub(crate) left_out_bytes: u64,
    pub(crate) left_out_lines: u64,
}

/// All chunks that are held, and whose they are.
#[derive(Debug, Default)]
struct Held {
    /// The last number that was given to a chunk or a tail.
    last: u64,
    /// All chunks, the oldest first.
    chunks: BTreeMap<u64, (TailId, LogChunk)>,
    attempts: HashMap<TailId, Attempt>,
    /// The cost of all chunks in memory.
    bytes: usize,
}

/// What is known of one attempt's tail.
#[derive(Debug, Default)]
struct Attempt {
    chunks: VecDeque<u64>,
    /// How much text its chunks hold.
    bytes: usize,
    left_out_bytes: u64,
    left_out_lines: u64,
}

/// The cost of a chunk in memory.
fn cost(text: &str) -> usize {
    text.len() + CHUNK_OVERHEAD_BYTES
}

impl Tails {
    /// Tails that cost at most `limit_bytes` together.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a tail, of which nothing is held yet.
    pub(crate) fn open(&self) -> TailId {
        TailId(self.lock().next())
    }

    /// Adds what is newest of an attempt, and leaves out what is oldest: of the attempt, past `limit_bytes` of text,
    /// and of all attempts, past the bound that they share.
    pub(crate) fn push(&self, id: TailId, chunk: LogChunk, limit_bytes: usize) {
        let mut held = self.lock();
        let place = held.next();
        held.bytes += cost(&chunk.text);
        let attempt = held.attempts.entry(id).or_default();
        attempt.bytes += chunk.text.len();
        attempt.chunks.push_back(place);
        let mut excess = attempt.bytes.saturating_sub(limit_bytes);
        held.chunks.insert(place, (id, chunk));
        while excess > 0 {
            let oldest = held.attempts.get(&id).and_then(|attempt| attempt.chunks.front().copied());
            let Some(oldest) = oldest else { break };
            excess = excess.saturating_sub(held.shorten(oldest, excess));
        }
        while held.bytes > self.limit_bytes {
            let Some(oldest) = held.chunks.keys().next().copied() else { break };
            held.shorten(oldest, usize::MAX);
        }
    }

    /// Takes what is held of an attempt, which is then forgotten. `None` when it never had a tail.
    pub(crate) fn take(&self, id: TailId) -> Option<Tail> {
        let mut held = self.lock();
        let Attempt { chunks, left_out_bytes, left_out_lines, .. } = held.attempts.remove(&id)?;
        let mut tail = Tail { chunks: Vec::with_capacity(chunks.len()), left_out_bytes, left_out_lines };
        for place in chunks {
            if let Some((_, chunk)) = held.chunks.remove(&place) {
                held.bytes -= cost(&chunk.text);
                tail.chunks.push(chunk);
            }
        }
        Some(tail)
    }
}

impl Held {
    /// The next number.
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Leaves out at least `excess` bytes of the oldest chunk of an attempt, or all of it; answers how many. What
    /// stays begins with a line, where it has one.
    fn shorten(&mut self, place: u64, excess: usize) -> usize {
        let Some((id, chunk)) = self.chunks.get_mut(&place) else { return excess };
        let Some(attempt) = self.attempts.get_mut(id) else { return excess };
        let whole = chunk.text.len();
        let cut = match chunk.text.get(chunk.text.ceil_char_boundary(excess.min(whole))..) {
            Some("") | None => whole,
            Some(rest) => whole - rest.find('\n').map_or(rest, |end| &rest[end + 1..]).len(),
        };
        attempt.bytes -= cut;
        attempt.left_out_bytes += cut as u64;
        let lines = chunk.text.as_bytes()[..cut].iter().filter(|byte| **byte == b'\n').count();
        attempt.left_out_lines += lines as u64;
        if cut == whole {
            // An attempt's oldest chunk is its first.
            attempt.chunks.pop_front();
            self.bytes -= cost(&chunk.text);
            self.chunks.remove(&place);
        } else {
            chunk.text.drain(..cut);
            self.bytes -= cut;
        }
        cut.max(1)
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::Timestamp;
    use millrace_store::LogStream;

    use super::*;

    fn chunk(text: &str) -> LogChunk {
        LogChunk { at: Timestamp::from_millis(1), stream: LogStream::Stdout, text: text.to_owned() }
    }

    fn text(tail: &Tail) -> String {
        tail.chunks.iter().map(|chunk| chunk.text.as_str()).collect()
    }

    #[test]
    fn the_newest_lines_of_each_attempt_are_kept() {
        let tails = Tails::new(1 << 20);
        let (one, other) = (tails.open(), tails.open());
        for number in 0..100 {
            tails.push(one, chunk(&format!("line {number}\n")), 20);
        }
        tails.push(other, chunk("short"), 20);
        let tail = tails.take(one).unwrap();
        assert_eq!(text(&tail), "line 98\nline 99\n");
        assert_eq!((tail.left_out_lines, tail.left_out_bytes), (98, 10 * 7 + 88 * 8));
        assert_eq!(text(&tails.take(other).unwrap()), "short");
        assert!(tails.take(one).is_none());
        assert_eq!(tails.lock().bytes, 0);
    }

    #[test]
    fn a_text_without_lines_is_cut_between_characters() {
        let tails = Tails::new(1 << 20);
        let id = tails.open();
        tails.push(id, chunk("aé"), 4);
        tails.push(id, chunk("bc"), 4);
        assert_eq!(text(&tails.take(id).unwrap()), "ébc");
        let id = tails.open();
        tails.push(id, chunk("ééé"), 3);
        let tail = tails.take(id).unwrap();
        assert_eq!((text(&tail).as_str(), tail.left_out_bytes), ("é", 4));
    }

    #[test]
    fn all_attempts_together_are_bounded_and_the_oldest_chunks_go_first() {
        let limit = 100 * cost("x\n");
        let tails = Tails::new(limit);
        let ids: Vec<TailId> = (0..10_000).map(|_| tails.open()).collect();
        for id in &ids {
            tails.push(*id, chunk("x\n"), 1 << 18);
            assert!(tails.lock().bytes <= limit);
        }
        assert_eq!(text(&tails.take(ids[9_999]).unwrap()), "x\n");
        let oldest = tails.take(ids[0]).unwrap();
        assert_eq!((oldest.chunks.len(), oldest.left_out_lines), (0, 1));
    }
}
