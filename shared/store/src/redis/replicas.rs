//! Waiting for replicas: what a primary alone has confirmed is lost when it fails over. A server answers `WAIT` when
//! so many replicas have all that this connection has written, and until then it serves nothing else on it; so
//! what must be replicated has a connection of its own, on which calls go in turn.

use std::time::Duration;

use redis::{Cmd, Value, cmd};
use tokio::sync::Mutex;

use super::reply::int;
use super::script::Script;
use crate::StoreError;

/// The longest wait for replicas. A call that they did not follow in time is as good as unanswered.
const BOUND: Duration = Duration::from_secs(1);

/// The replicas that are waited for: how many must have what is written.
#[derive(Debug)]
pub(super) struct Replicas {
    count: u32,
    bound: Duration,
    mark: String,
    /// The turn of a call, one at a time: what queues behind a `WAIT` would use up its own bound there.
    pub(super) turn: Mutex<()>,
}

impl Replicas {
    /// Waits for `count` replicas. `mark` is a key that is written for nothing but this.
    pub(super) fn new(count: u32, mark: String, response_timeout: Duration) -> Self {
        Self { count, bound: BOUND.min(response_timeout / 2), mark, turn: Mutex::new(()) }
    }

    /// The commands that follow what was written.
    pub(super) fn wait(&self) -> [Cmd; 2] {
        let mut wait = cmd("WAIT");
        wait.arg(self.count).arg(self.bound.as_millis().max(1) as u64);
        [Script::Mark.on(&[&self.mark]), wait]
    }

    /// Checks the answer to `WAIT`.
    pub(super) fn reached(&self, shown: &str, answer: &Value) -> Result<(), StoreError> {
        let reached = int(answer)?;
        if reached >= i64::from(self.count) {
            return Ok(());
        }
        let why = format!(
            "{reached} of {} replicas had it within {} ms; it counts when they do",
            self.count,
            self.bound.as_millis()
        );
        Err(StoreError::Unavailable(shown.to_owned(), why))
    }
}
