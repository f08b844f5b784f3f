//! What a round trip does until it is answered: waits that grow, and warnings that do not flood.

use std::fmt::Display;
use std::time::Duration;

use millrace_runtime::Backoff;
use tokio::time::Instant;

/// The wait before the first retry.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait before a retry.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long it takes until it is said again that there is no answer.
const WARN_AGAIN: Duration = Duration::from_secs(5);

/// The retries of one round trip.
pub(super) struct Retries {
    backoff: Backoff,
    warned: Option<Instant>,
}

impl Retries {
    /// The retries of a trip that has not been tried yet.
    pub(super) fn new() -> Self {
        Self { backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT), warned: None }
    }

    /// Warns of a try that failed, unless that was said a moment ago.
    pub(super) fn warn(&mut self, what: &str, error: &dyn Display) {
        if self.warned.is_none_or(|warned| warned.elapsed() > WARN_AGAIN) {
            tracing::warn!(%error, "{what}; trying again");
            self.warned = Some(Instant::now());
        }
    }

    /// Waits until the next try.
    pub(super) async fn wait(&mut self) {
        self.backoff.wait().await;
    }
}
