//! Standard output and error of a process, read live and cut into chunks. Reading never stops before the
//! process does, however much it writes.

use std::time::Duration;

use bytes::BytesMut;
use millrace_store::LogStream;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::log::{CHUNK_LIMIT_BYTES, LogWriter};

/// How long a piece of output may wait for more.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// How much is read at once.
const READ_BYTES: usize = 8 * 1024;
/// How much of the end of a stream is remembered for a reason.
const TAIL_BYTES: usize = 1024;
/// How much of a last line goes into a reason.
const LAST_LINE_CHARS: usize = 200;

/// The standard output and error of one process, as they are read.
#[derive(Debug)]
pub(crate) struct Capture {
    stdout: CapturedStream<Receiver>,
    stderr: CapturedStream<Receiver>,
    log: LogWriter,
}

impl Capture {
    /// Captures what comes from these pipes into a log.
    pub(crate) fn new(stdout: Option<Receiver>, stderr: Option<Receiver>, log: LogWriter) -> Self {
        Self {
            stdout: CapturedStream::new(stdout, LogStream::Stdout),
            stderr: CapturedStream::new(stderr, LogStream::Stderr),
            log,
        }
    }

    /// Reads until both streams have ended. It can be dropped and called again without a loss.
    pub(crate) async fn pump(&mut self) {
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            let flush_at = [self.stdout.flush_at, self.stderr.flush_at].into_iter().flatten().min();
            tokio::select! {
                () = self.stdout.read(), if self.stdout.pipe.is_some() => self.stdout.write_full_chunks(&self.log),
                () = self.stderr.read(), if self.stderr.pipe.is_some() => self.stderr.write_full_chunks(&self.log),
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    self.stdout.write_due(&self.log);
                    self.stderr.write_due(&self.log);
                }
            }
        }
    }

    /// Writes what is left, and answers the last line of standard error that is not blank, for a reason.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.stdout.write_all(&self.log);
        self.stderr.write_all(&self.log);
        self.stderr.last_line()
    }
}

/// One stream of a process, as it is read.
#[derive(Debug)]
struct CapturedStream<R> {
    pipe: Option<R>,
    stream: LogStream,
    buffer: BytesMut,
    /// The time when what is in the buffer must go, complete line or not.
    flush_at: Option<Instant>,
    /// The end of what was written, for a reason.
    tail: Vec<u8>,
}

impl<R: AsyncRead + Unpin> CapturedStream<R> {
    fn new(pipe: Option<R>, stream: LogStream) -> Self {
        Self { pipe, stream, buffer: BytesMut::new(), flush_at: None, tail: Vec::new() }
    }

    /// Reads once. It can be dropped without a loss: bytes are either in the buffer or still in the pipe.
    async fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        self.buffer.reserve(READ_BYTES);
        // An error on a pipe means that nothing more will come, as its end does.
        if pipe.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
            self.pipe = None;
        }
    }

    /// Writes full chunks after a read, and sees to it that the rest goes soon.
    fn write_full_chunks(&mut self, log: &LogWriter) {
        while self.buffer.len() >= CHUNK_LIMIT_BYTES {
            let full = &self.buffer[..CHUNK_LIMIT_BYTES];
            self.write(end_of_lines(full).unwrap_or_else(|| end_of_characters(full)), log);
        }
        if self.pipe.is_none() {
            self.write_all(log);
        } else if self.buffer.is_empty() {
            self.flush_at = None;
        } else if self.flush_at.is_none() {
            self.flush_at = Some(Instant::now() + FLUSH_EVERY);
        }
    }

    /// Writes what has waited long enough: whole lines if there are any, or else what there is.
    fn write_due(&mut self, log: &LogWriter) {
        let now = Instant::now();
        if self.flush_at.is_none_or(|at| at > now) {
            return;
        }
        match end_of_lines(&self.buffer) {
            Some(end) => self.write(end, log),
            None => self.write(end_of_characters(&self.buffer), log),
        }
        self.flush_at = (!self.buffer.is_empty()).then(|| now + FLUSH_EVERY);
    }

    /// Writes all that is in the buffer.
    fn write_all(&mut self, log: &LogWriter) {
        self.flush_at = None;
        if !self.buffer.is_empty() {
            self.write(self.buffer.len(), log);
        }
    }

    /// Writes the first `length` bytes of the buffer.
    fn write(&mut self, length: usize, log: &LogWriter) {
        let piece = self.buffer.split_to(length);
        log.write(self.stream, &String::from_utf8_lossy(&piece));
        self.remember(&piece);
    }

    /// Remembers the end of standard error, from which a reason may be made.
    fn remember(&mut self, piece: &[u8]) {
        if self.stream != LogStream::Stderr {
            return;
        }
        let piece = &piece[piece.len().saturating_sub(TAIL_BYTES)..];
        let overflow = (self.tail.len() + piece.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..overflow);
        self.tail.extend_from_slice(piece);
    }

    /// The last line that is not blank.
    fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let line = text.rsplit(['\n', '\r']).map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().filter(|c| !c.is_control()).take(LAST_LINE_CHARS).collect())
    }
}

/// The position where the last complete line ends.
fn end_of_lines(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1)
}

/// The position where the last complete UTF-8 character ends; the end when these bytes are no text.
fn end_of_characters(bytes: &[u8]) -> usize {
    let length = bytes.len();
    let start = (length.saturating_sub(4)..length).rev().find(|&at| bytes[at] & 0b1100_0000 != 0b1000_0000);
    let Some(start) = start else { return length };
    let needed = match bytes[start] {
        0b1100_0000..=0b1101_1111 => 2,
        0b1110_0000..=0b1110_1111 => 3,
        0b1111_0000..=0b1111_0111 => 4,
        _ => 1,
    };
    // A lone lead byte is all there is: waiting for the rest of it must not hold it back for ever.
    if start > 0 && length - start < needed { start } else { length }
}

#[cfg(test)]
mod tests {
    use millrace_store::LogChunk;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn texts(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<LogChunk>) -> Vec<String> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|chunk| chunk.text).collect()
    }

    async fn fed(bytes: &[u8], budget: u64) -> (Vec<String>, Option<String>) {
        let (log, mut chunks) = LogWriter::channel(budget);
        let mut captured = CapturedStream::new(Some(bytes), LogStream::Stderr);
        while captured.pipe.is_some() {
            captured.read().await;
            captured.write_full_chunks(&log);
        }
        log.finish();
        (texts(&mut chunks), captured.last_line())
    }

    #[tokio::test]
    async fn chunks_end_with_a_line_and_hold_at_most_sixteen_kibibytes() {
        let text = "0123456789\n".repeat(10_000);
        let (chunks, last) = fed(text.as_bytes(), 1 << 20).await;
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK_LIMIT_BYTES && chunk.ends_with('\n')));
        assert_eq!(chunks.concat(), text);
        assert_eq!(last.as_deref(), Some("0123456789"));
    }

    #[tokio::test]
    async fn characters_stay_whole_and_bytes_that_are_no_text_are_replaced() {
        let text = "é".repeat(40_000);
        assert_eq!(fed(text.as_bytes(), 1 << 20).await.0.concat(), text);
        assert_eq!(fed(b"a\xffb", 100).await.0, ["a\u{fffd}b"]);
    }

    #[tokio::test]
    async fn the_last_line_is_known_even_past_the_budget_and_is_bounded() {
        let text = format!("{}\n  {}\n\n", "x".repeat(100_000), "y".repeat(300));
        let (chunks, last) = fed(text.as_bytes(), 2000).await;
        assert_eq!(chunks[0].len(), 1500);
        assert_eq!(chunks.last().unwrap(), &format!("  {}\n\n", "y".repeat(300)));
        assert_eq!(last, Some("y".repeat(200)));
        assert_eq!(fed(b" \n", 1000).await.1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_goes_after_a_fifth_of_a_second_by_lines_where_possible() {
        let (log, mut chunks) = LogWriter::channel(1000);
        let (mut writer, reader) = tokio::io::duplex(1000);
        let mut captured = CapturedStream::new(Some(reader), LogStream::Stdout);
        writer.write_all(b"one\ntw").await.unwrap();
        captured.read().await;
        captured.write_full_chunks(&log);
        captured.write_due(&log);
        assert!(texts(&mut chunks).is_empty());
        tokio::time::advance(FLUSH_EVERY).await;
        captured.write_due(&log);
        assert_eq!(texts(&mut chunks), ["one\n"]);
        tokio::time::advance(FLUSH_EVERY).await;
        captured.write_due(&log);
        assert_eq!(texts(&mut chunks), ["tw"]);
        assert!(captured.flush_at.is_none());
    }
}
