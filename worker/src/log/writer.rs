//! What is written to the log of one attempt, and how much of it is kept: the first three quarters of its budget as
//! they come, and of what follows the newest quarter, once the task ends. How it reaches the store is in
//! [`super::shipper`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_domain::TaskId;
use millrace_store::{LogChunk, LogStream};
use tokio::sync::mpsc;

use super::backlog::{Backlog, now};
use super::tail::{TailId, Tails};

/// How much one chunk holds at most, in bytes of text.
pub const CHUNK_LIMIT_BYTES: usize = 16 * 1024;

/// The writer of one attempt's log. It never waits and never fails: what has no room is left out, with a note in the
/// log. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct LogWriter {
    sink: Sink,
    budget: Arc<Budget>,
}

/// Where chunks go.
#[derive(Debug, Clone)]
enum Sink {
    Store { backlog: Arc<Backlog>, task: TaskId },
    Channel(mpsc::UnboundedSender<LogChunk>),
}

/// How much of an attempt's output is kept, and how much has come.
#[derive(Debug)]
struct Budget {
    limit_bytes: u64,
    used_bytes: AtomicU64,
    tails: Arc<Tails>,
    tail: TailId,
}

impl Budget {
    /// How much is kept of the end.
    fn tail_bytes(&self) -> usize {
        usize::try_from(self.limit_bytes / 4).unwrap_or(usize::MAX)
    }

    /// How much is kept of the beginning.
    fn head_bytes(&self) -> u64 {
        self.limit_bytes - self.limit_bytes / 4
    }
}

impl Drop for Budget {
    /// Forgets the tail: the log of an attempt that was given up has no end.
    fn drop(&mut self) {
        self.tails.take(self.tail);
    }
}

impl LogWriter {
    /// A writer whose chunks the shipper brings to the store.
    pub(crate) fn to_store(
        backlog: Arc<Backlog>,
        tails: Arc<Tails>,
        task: TaskId,
        budget_bytes: u64,
    ) -> Self {
        Self::new(Sink::Store { backlog, task }, tails, budget_bytes)
    }

    /// A writer to whoever reads the other end, with no store behind it. The budget bounds the channel.
    pub fn channel(budget_bytes: u64) -> (Self, mpsc::UnboundedReceiver<LogChunk>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self::new(Sink::Channel(sender), Arc::new(Tails::new(usize::MAX)), budget_bytes), receiver)
    }

    fn new(sink: Sink, tails: Arc<Tails>, limit_bytes: u64) -> Self {
        let tail = tails.open();
        Self { sink, budget: Arc::new(Budget { limit_bytes, used_bytes: AtomicU64::new(0), tails, tail }) }
    }

    /// Adds output of the task. What is past the head of the log waits for its end.
    pub fn write(&self, stream: LogStream, text: &str) {
        if text.is_empty() {
            return;
        }
        let head = self.budget.head_bytes();
        let length = text.len() as u64;
        let before = self.budget.used_bytes.fetch_add(length, Ordering::Relaxed);
        let (now, later) = if before > head {
            ("", text)
        } else if before + length <= head {
            (text, "")
        } else {
            let room = usize::try_from(head - before).unwrap_or(usize::MAX);
            let room = &text[..text.floor_char_boundary(room)];
            // Lines stay whole, unless one is as long as all that came.
            let end = match room.rfind('\n') {
                Some(end) => end + 1,
                None if text.contains('\n') => 0,
                None => room.len(),
            };
            text.split_at(end)
        };
        self.put(stream, now);
        if before <= head && !later.is_empty() {
            let newest = self.budget.tail_bytes();
            let note =
                format!("... there is more: the last {newest} bytes of it follow when the task ends\n");
            self.put(LogStream::Worker, &note);
        }
        self.hold(stream, later);
    }

    /// Adds the worker's own words about the task. They are outside of the budget, and few.
    pub fn say(&self, text: &str) {
        if self.budget.used_bytes.load(Ordering::Relaxed) > self.budget.head_bytes() {
            self.hold(LogStream::Worker, text);
        } else {
            self.put(LogStream::Worker, text);
        }
    }

    /// Ends the log: what waited for that follows, after a note of what is left out before it.
    pub fn finish(&self) {
        let Some(tail) = self.budget.tails.take(self.budget.tail) else { return };
        if tail.left_out_bytes > 0 {
            let (bytes, lines) = (tail.left_out_bytes, tail.left_out_lines);
            self.put(LogStream::Worker, &format!("... {bytes} bytes ({lines} lines) are left out here\n"));
        }
        for chunk in tail.chunks {
            self.send(chunk);
        }
    }

    /// Sends text as chunks.
    fn put(&self, stream: LogStream, text: &str) {
        chunks(stream, text).for_each(|chunk| self.send(chunk));
    }

    /// Holds text for the end of the log.
    fn hold(&self, stream: LogStream, text: &str) {
        let Budget { tails, tail, .. } = &*self.budget;
        chunks(stream, text).for_each(|chunk| tails.push(*tail, chunk, self.budget.tail_bytes()));
    }

    /// Sends one chunk.
    fn send(&self, chunk: LogChunk) {
        match &self.sink {
            Sink::Store { backlog, task } => backlog.push(*task, chunk, self.budget.limit_bytes),
            // Nobody reads any more: nobody misses it.
            Sink::Channel(sender) => drop(sender.send(chunk)),
        }
    }
}

/// Cuts text into chunks, between characters.
fn chunks(stream: LogStream, mut text: &str) -> impl Iterator<Item = LogChunk> {
    let at = now();
    std::iter::from_fn(move || {
        let (head, rest) = text.split_at(text.floor_char_boundary(CHUNK_LIMIT_BYTES));
        text = rest;
        (!head.is_empty()).then(|| LogChunk { at, stream, text: head.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(receiver: &mut mpsc::UnboundedReceiver<LogChunk>) -> Vec<(LogStream, String)> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|chunk| (chunk.stream, chunk.text)).collect()
    }

    #[test]
    fn past_the_head_the_newest_output_is_kept_for_the_end() {
        let (log, mut chunks) = LogWriter::channel(16);
        log.write(LogStream::Stdout, "one\ntwo\n");
        log.write(LogStream::Stderr, "three\nfour\n");
        let note = "... there is more: the last 4 bytes of it follow when the task ends\n".to_owned();
        let head = [(LogStream::Stdout, "one\ntwo\n".to_owned())];
        let noted = (LogStream::Worker, note);
        assert_eq!(texts(&mut chunks), [&head[..], &[noted]].concat());
        for number in 0..1000 {
            log.write(LogStream::Stdout, &format!("{number}\n"));
        }
        log.write(LogStream::Stderr, "why\n");
        assert_eq!(texts(&mut chunks), [], "what follows waits for the end");
        log.finish();
        let left_out = "... 3901 bytes (1002 lines) are left out here\n".to_owned();
        assert_eq!(
            texts(&mut chunks),
            [(LogStream::Worker, left_out), (LogStream::Stderr, "why\n".to_owned())]
        );
        log.finish();
        assert_eq!(texts(&mut chunks), [], "the end comes once");
    }

    #[test]
    fn within_the_budget_nothing_is_left_out() {
        let (log, mut chunks) = LogWriter::channel(64);
        log.write(LogStream::Stdout, &"x".repeat(48));
        assert_eq!(texts(&mut chunks).len(), 1, "the head is met exactly");
        log.write(LogStream::Stdout, "gh");
        log.say("stopped\n");
        log.finish();
        let all: Vec<String> = texts(&mut chunks).into_iter().map(|(_, text)| text).collect();
        assert_eq!(all[1..], ["gh", "stopped\n"]);
        assert!(all[0].starts_with("... there is more"), "{}", all[0]);
    }

    #[test]
    fn a_long_text_becomes_chunks_that_are_cut_between_characters() {
        let (log, mut chunks) = LogWriter::channel(1 << 20);
        let text = "x".to_owned() + &"é".repeat(CHUNK_LIMIT_BYTES);
        log.write(LogStream::Stdout, &text);
        log.finish();
        let parts = texts(&mut chunks);
        assert!(parts.iter().all(|(_, part)| part.len() <= CHUNK_LIMIT_BYTES));
        assert_eq!(parts.into_iter().map(|(_, part)| part).collect::<String>(), text);
    }
}
