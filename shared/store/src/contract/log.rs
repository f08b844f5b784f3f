//! What tasks write to their standard output and error.

use millrace_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// When it was read, milliseconds since the epoch.
    pub at: Timestamp,
    /// Which stream.
    pub stream: LogStream,
    /// Text; bytes that are not UTF-8 were replaced.
    pub text: String,
}

/// A stream of a task.
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
