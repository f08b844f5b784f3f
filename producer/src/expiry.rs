//! Forgets what ended long ago, in the partitions that are ours.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::Timestamp;

use crate::context::Context;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);

/// A clock that was set ahead is believed after so long: it may be set back before, and what is forgotten is gone.
const DOUBT: Duration = Duration::from_secs(600);

/// Runs until the shutdown.
pub(crate) async fn run(context: Arc<Context>) {
    loop {
        tokio::select! {
            biased;
            () = context.shutdown.begun() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match run_once(&context).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "finished runs expired"),
            Err(error) => tracing::warn!(%error, "finished runs cannot be expired"),
        }
    }
}

/// One pass over the owned partitions: how many runs were forgotten.
async fn run_once(context: &Context) -> Result<usize, millrace_store::StoreError> {
    let owned = context.owned.borrow().clone();
    let set_ahead = context.clock.corrections().borrow().set_ahead;
    let is_doubtful = set_ahead.is_some_and(|set| set.elapsed() < DOUBT);
    let mut forgotten = 0;
    for partition in owned.iter() {
        loop {
            let until = if is_doubtful { Timestamp::default() } else { context.now() };
            let count = context.store.expire(*partition, until, context.options.keep_runs).await?;
            forgotten += count;
            if count < 100 || context.shutdown.has_begun() {
                break;
            }
        }
    }
    Ok(forgotten)
}
