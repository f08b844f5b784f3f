//! Presence of workers. A session is alive as long as its count moves; how long "as long" is, each reader
//! decides by watching on its own monotonic clock.

use millrace_domain::SessionId;
use serde::{Deserialize, Serialize};

/// A session: a worker's presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the session.
    pub id: SessionId,
    /// The count of renewals, which rises with every one.
    pub count: u64,
    /// The host where the worker runs.
    pub host: String,
    /// The process id of the worker there.
    pub pid: u32,
    /// The pools that it serves.
    pub pools: Vec<String>,
    /// The number of tasks that it can run at once.
    pub slots: u32,
    /// The number of tasks that it runs.
    pub running: u32,
    /// Whether it takes no more tasks and is about to go.
    pub draining: bool,
    /// When it started, in milliseconds since the epoch.
    pub started_at: i64,
    /// The time since it was renewed, by the store's clock when it was read, in milliseconds: the store's to say, and
    /// for people. `None`: the clock was ahead then, and was set back. Whether a session is over is decided by
    /// watching its count.
    #[serde(skip)]
    pub silent_ms: Option<u64>,
    /// The labels of the worker, each `key=value`.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// The interval at which a session is renewed.
pub const SESSION_RENEW_MS: u64 = 2_000;

/// The lease of a session, for its worker: one that was not renewed for so long, counted from when its last
/// successful renewal was *sent*, is over, and its tasks are killed.
pub const SESSION_LEASE_MS: u64 = 9_000;

/// The lease of a session, for the others: one that was *watched* unrenewed for so long is over, and its tasks may
/// start elsewhere. A renewal can only be seen after it was sent, so that the difference is what a worker has to kill
/// its tasks in.
pub const SESSION_WATCH_MS: u64 = SESSION_LEASE_MS + 1_000;

// A renewal that is lost, or answered late, ends nobody; and SIGKILL takes milliseconds.
const _: () = assert!(SESSION_LEASE_MS >= 4 * SESSION_RENEW_MS);
const _: () = assert!(SESSION_WATCH_MS >= SESSION_LEASE_MS + 1_000);
