//! Commits: one round trip for all partitions that a batch touched, repeated until the store has answered.

use std::time::Duration;

use millrace_store::{Commit, StoreError, Verdict};
use tokio::time::Instant;

use crate::context::Context;

/// Commits all, and answers what became of each. `None` when the process ends while the store is away.
pub(crate) async fn commit(context: &Context, commits: &[Commit]) -> Option<Vec<Verdict>> {
    let began = Instant::now();
    let mut wait = Duration::from_millis(20);
    let mut told = Instant::now();
    loop {
        match context.store.commit(commits).await {
            Ok(verdicts) => {
                metrics::histogram!("millrace_commit_seconds").record(began.elapsed().as_secs_f64());
                return Some(verdicts);
            }
            Err(error) => {
                if told.elapsed() > Duration::from_secs(5) || began.elapsed() < Duration::from_millis(100) {
                    tracing::warn!(%error, "the commit is not answered; sending it again");
                    told = Instant::now();
                }
                // Memory is freed by what ends elsewhere: be patient, but do not hammer.
                wait = match error {
                    StoreError::Full(_) => Duration::from_secs(1),
                    _ => (wait * 2).min(Duration::from_secs(1)),
                };
            }
        }
        tokio::select! {
            biased;
            () = context.shutdown.begun() => {
                // One last try: a drain with the store in good health loses nothing.
                return context.store.commit(commits).await.ok();
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
}
