//! What tasks wrote: one hash per run, forgotten with it. A chunk is written as `<at ms>|<stream>|<text>`.

use millrace_domain::{TaskId, Timestamp};
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text, timestamp};
use super::script::Script;
use crate::{LogChunk, LogStream, StoreError};

/// The greatest number of chunks in one call.
const BATCH: usize = 1_000;

/// Adds chunks to the log of an attempt, as far as its budget allows.
pub(super) async fn append(
    connection: &Connection,
    keys: &Keys,
    task: TaskId,
    lines: &[LogChunk],
    budget_bytes: u64,
) -> Result<(), StoreError> {
    let (run, log) = (keys.run(task.run), keys.log(task.run));
    let call = |lines: &[LogChunk]| {
        let mut call = Script::AppendLog.on(&[&run, &log]);
        call.arg(attempt(task)).arg(budget_bytes);
        for line in lines {
            call.arg(line.text.len()).arg(write(line));
        }
        call
    };
    connection.ask_all(lines.chunks(BATCH).map(call).collect()).await.map(drop)
}

/// Reads chunks of the log of an attempt.
pub(super) async fn read(
    connection: &Connection,
    keys: &Keys,
    task: TaskId,
    from: u64,
    limit: usize,
) -> Result<Vec<LogChunk>, StoreError> {
    let key = keys.log(task.run);
    let mut chunks = Vec::new();
    while chunks.len() < limit {
        let wanted = (limit - chunks.len()).min(BATCH);
        let first = from.saturating_add(chunks.len() as u64);
        let mut command = cmd("HMGET");
        command.arg(&key);
        for place in 0..wanted as u64 {
            command.arg(format!("{}:{}", attempt(task), first.saturating_add(place)));
        }
        for chunk in array(connection.ask(command).await?)? {
            match maybe_text(chunk)? {
                Some(chunk) => chunks.push(parse(&chunk)?),
                None => return Ok(chunks),
            }
        }
    }
    Ok(chunks)
}

fn attempt(task: TaskId) -> String {
    format!("{}:{}", task.unit, task.attempt)
}

fn write(chunk: &LogChunk) -> String {
    let stream = match chunk.stream {
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
        LogStream::Worker => 'w',
    };
    format!("{}|{stream}|{}", chunk.at.as_millis(), chunk.text)
}

fn parse(chunk: &str) -> Result<LogChunk, StoreError> {
    let mut parts = chunk.splitn(3, '|');
    let (Some(at), Some(stream), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
        let shown: String = chunk.chars().take(100).collect();
        return Err(StoreError::Corrupt(format!("expected a piece of a log, got {shown:?}")));
    };
    let at: Timestamp = timestamp(at)?;
    let stream = match stream {
        "o" => LogStream::Stdout,
        "e" => LogStream::Stderr,
        "w" => LogStream::Worker,
        other => return Err(StoreError::Corrupt(format!("expected a stream (o, e, w), got {other:?}"))),
    };
    Ok(LogChunk { at, stream, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_survives_its_text_form() {
        for stream in [LogStream::Stdout, LogStream::Stderr, LogStream::Worker] {
            let chunk = LogChunk { at: Timestamp::from_millis(5), stream, text: "a|b\n|".to_owned() };
            assert_eq!(parse(&write(&chunk)).unwrap(), chunk);
        }
        assert!(parse("5|z|text").is_err());
        assert!(parse("5").is_err());
    }
}
