//! What is written to the log of one attempt, and how much of it is kept. How it reaches the store is in
//! [`crate::shipper`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_domain::{TaskId, Timestamp};
use millrace_store::{LogChunk, LogStream};
use tokio::sync::mpsc;

use crate::backlog::Backlog;

/// The most one chunk holds, in bytes of text.
pub const CHUNK_LIMIT_BYTES: usize = 16 * 1024;

/// Writes to the log of one attempt. It never waits and never fails: what is past the attempt's budget is
/// dropped, with a note in the log. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct LogWriter {
    sink: Sink,
    budget: Arc<Budget>,
}

#[derive(Debug, Clone)]
enum Sink {
    Store { backlog: Arc<Backlog>, task: TaskId },
    Channel(mpsc::UnboundedSender<LogChunk>),
}

#[derive(Debug)]
struct Budget {
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl LogWriter {
    pub(crate) fn to_store(backlog: Arc<Backlog>, task: TaskId, budget_bytes: u64) -> Self {
        Self::new(Sink::Store { backlog, task }, budget_bytes)
    }

    /// A writer to whoever reads the other end, with no store behind it. The budget bounds the channel.
    pub fn channel(budget_bytes: u64) -> (Self, mpsc::UnboundedReceiver<LogChunk>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self::new(Sink::Channel(sender), budget_bytes), receiver)
    }

    fn new(sink: Sink, limit_bytes: u64) -> Self {
        Self { sink, budget: Arc::new(Budget { limit_bytes, used_bytes: AtomicU64::new(0) }) }
    }

    /// Adds output of the task. The chunk in which the budget ends is cut there, and a note follows it.
    pub fn write(&self, stream: LogStream, text: &str) {
        if text.is_empty() {
            return;
        }
        let limit = self.budget.limit_bytes;
        let length = text.len() as u64;
        let before = self.budget.used_bytes.fetch_add(length, Ordering::Relaxed);
        if before > limit {
            return;
        }
        let room = usize::try_from(limit - before).unwrap_or(usize::MAX);
        self.put(stream, &text[..text.floor_char_boundary(room)]);
        if before + length > limit {
            self.say(&format!("... output truncated after {limit} bytes (limit)\n"));
        }
    }

    /// Adds the worker's own words about the task. They are outside of the budget, and few.
    pub fn say(&self, text: &str) {
        self.put(LogStream::Worker, text);
    }

    /// Nothing more of the task's output will be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.budget.used_bytes.load(Ordering::Relaxed) > self.budget.limit_bytes
    }

    fn put(&self, stream: LogStream, mut text: &str) {
        let at = now();
        while !text.is_empty() {
            let (head, rest) = text.split_at(text.floor_char_boundary(CHUNK_LIMIT_BYTES));
            let chunk = LogChunk { at, stream, text: head.to_owned() };
            match &self.sink {
                Sink::Store { backlog, task } => backlog.push(*task, chunk, self.budget.limit_bytes),
                // Nobody reads any more: nobody misses it.
                Sink::Channel(sender) => drop(sender.send(chunk)),
            }
            text = rest;
        }
    }
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(receiver: &mut mpsc::UnboundedReceiver<LogChunk>) -> Vec<(LogStream, String)> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|chunk| (chunk.stream, chunk.text)).collect()
    }

    #[test]
    fn what_is_past_the_budget_is_dropped_with_one_note() {
        let (log, mut chunks) = LogWriter::channel(5);
        log.write(LogStream::Stdout, "abc");
        log.write(LogStream::Stderr, "def");
        log.write(LogStream::Stdout, "ghi");
        let note = "... output truncated after 5 bytes (limit)\n".to_owned();
        let expected = [
            (LogStream::Stdout, "abc".to_owned()),
            (LogStream::Stderr, "de".to_owned()),
            (LogStream::Worker, note),
        ];
        assert_eq!(texts(&mut chunks), expected);
        assert!(log.is_full());
    }

    #[test]
    fn a_budget_that_is_met_exactly_gets_its_note_only_when_more_comes() {
        let (log, mut chunks) = LogWriter::channel(3);
        log.write(LogStream::Stdout, "abc");
        assert_eq!(texts(&mut chunks).len(), 1);
        log.write(LogStream::Stdout, "d");
        assert_eq!(texts(&mut chunks).len(), 1);
    }

    #[test]
    fn a_long_text_becomes_chunks_that_are_cut_between_characters() {
        let (log, mut chunks) = LogWriter::channel(1 << 20);
        let text = "x".to_owned() + &"é".repeat(CHUNK_LIMIT_BYTES);
        log.write(LogStream::Stdout, &text);
        let parts = texts(&mut chunks);
        assert!(parts.iter().all(|(_, part)| part.len() <= CHUNK_LIMIT_BYTES));
        assert_eq!(parts.into_iter().map(|(_, part)| part).collect::<String>(), text);
    }
}
