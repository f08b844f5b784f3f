//! Commits: one round trip for all partitions that a batch touched, repeated until the store has answered.

use std::time::Duration;

use millrace_runtime::Backoff;
use millrace_store::{Commit, StoreError, Verdict};
use tokio::time::Instant;

use crate::context::Context;

/// The number of tries in vain after which commits are tried one by one.
const IN_VAIN: u32 = 3;

/// The first and the longest wait before commits that were not answered are sent again.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Commits all, and answers what became of each: an error is one that does not pass, such as a partition whose
/// keys somebody has spoiled. `None` when the process ends while the store is away.
pub(crate) async fn commit(
    context: &Context,
    commits: &[Commit],
) -> Option<Vec<Result<Verdict, StoreError>>> {
    let began = Instant::now();
    let mut backoff = Backoff::new(WAITS.0, WAITS.1);
    let mut told = Instant::now();
    let mut in_vain = 0;
    loop {
        match context.store.commit(commits).await {
            Ok(verdicts) => {
                metrics::histogram!("millrace_commit_seconds").record(began.elapsed().as_secs_f64());
                return Some(verdicts.into_iter().map(Ok).collect());
            }
            Err(StoreError::Full(why)) => {
                return Some(commits.iter().map(|_| Ok(Verdict::Full { why: why.clone() })).collect());
            }
            Err(error) => {
                if told.elapsed() > Duration::from_secs(5) || began.elapsed() < Duration::from_millis(100) {
                    tracing::warn!(%error, "the commit is not answered; sending it again");
                    told = Instant::now();
                }
                in_vain += u32::from(matches!(error, StoreError::Corrupt(_)));
                if in_vain >= IN_VAIN {
                    return one_by_one(context, commits, error).await;
                }
            }
        }
        tokio::select! {
            biased;
            () = context.shutdown.begun() => {
                // One last try: a drain with the store in good health loses nothing.
                let verdicts = context.store.commit(commits).await.ok()?;
                return Some(verdicts.into_iter().map(Ok).collect());
            }
            () = backoff.wait() => {}
        }
    }
}

/// Finds out which commit it is that spoils the others.
async fn one_by_one(
    context: &Context,
    commits: &[Commit],
    error: StoreError,
) -> Option<Vec<Result<Verdict, StoreError>>> {
    if commits.len() == 1 {
        return Some(vec![Err(error)]);
    }
    let mut verdicts = Vec::with_capacity(commits.len());
    for one in commits {
        verdicts.extend(Box::pin(commit(context, std::slice::from_ref(one))).await?);
    }
    Some(verdicts)
}
