//! What a round trip does until it is answered: waits that grow, and warnings that do not flood.

use std::fmt::Display;
use std::time::Duration;

use millrace_runtime::Backoff;
use tokio::time::Instant;

const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often it is said again that there is no answer.
const WARN_AGAIN: Duration = Duration::from_secs(5);

/// The retries of one round trip.
pub(super) struct Retries {
    backoff: Backoff,
    warned: Option<Instant>,
}

impl Retries {
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
