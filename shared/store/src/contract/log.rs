//! What tasks write to their standard output and error.

use millrace_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A chunk of a log: a piece of a task's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// When the chunk was read, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The stream that it was read from.
    pub stream: LogStream,
    /// The text; bytes that are not UTF-8 were replaced.
    pub text: String,
}

/// A stream of a task's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The worker's own words about the task.
    Worker,
}
