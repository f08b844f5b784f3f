//! Runs that fail, as the log tells them: a line for each, and when many fail at once a few lines a second and how
//! many more there were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_domain::run::{Run, RunState};
use tokio::time::Instant;

/// So many are told in a second, at most.
const A_SECOND: u32 = 5;

/// The lines that were logged in this second.
pub(super) struct FailedRuns {
    since: Instant,
    told: u32,
    /// Not told yet. A task says how many when their second is over.
    more: Arc<AtomicU64>,
}

impl FailedRuns {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), told: 0, more: Arc::default() }
    }

    /// Tells of a run that ended, if it failed. One that somebody stopped did not.
    pub(super) fn tell(&mut self, run: &Run) {
        if !matches!(run.head.state, RunState::Failed | RunState::TimedOut) || !self.is_next() {
            return;
        }
        let reason =
            run.head.reason.as_deref().and_then(|reason| reason.lines().next()).unwrap_or("no reason");
        let outcome = run.head.state.as_str();
        tracing::info!(workflow = %run.head.workflow, run = %run.id, outcome, reason, "a run failed");
    }

    /// Whether there is room for one more line. If not, it is counted.
    fn is_next(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            (self.since, self.told) = (Instant::now(), 0);
        }
        self.told += 1;
        if self.told <= A_SECOND {
            return true;
        }
        if self.more.fetch_add(1, Ordering::Relaxed) == 0 {
            let more = Arc::clone(&self.more);
            let over = self.since + Duration::from_secs(1);
            tokio::spawn(async move {
                tokio::time::sleep_until(over).await;
                let more = more.swap(0, Ordering::Relaxed);
                tracing::info!("and {more} more runs failed");
            });
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_failures_is_a_few_lines_a_second_and_the_rest_is_counted() {
        let mut failed_runs = FailedRuns::new();
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push((0..100).filter(|_| failed_runs.is_next()).count());
            assert_eq!(failed_runs.more.load(Ordering::Relaxed), 95);
            tokio::time::sleep(Duration::from_millis(1_001)).await;
            assert_eq!(failed_runs.more.load(Ordering::Relaxed), 0, "they were told");
        }
        assert_eq!(lines, [5, 5, 5]);
    }
}
