//! Forgets what ended long ago, in the partitions that are ours.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::Timestamp;
use millrace_runtime::StoreClock;

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

/// Passes over the owned partitions once: the number of runs that were forgotten.
async fn run_once(context: &Context) -> Result<usize, millrace_store::StoreError> {
    let owned = context.owned.borrow().clone();
    let mut forgotten = 0;
    for partition in owned.iter() {
        loop {
            let until = until(&context.clock);
            let count = context.store.expire(*partition, until, context.options.keep_runs).await?;
            forgotten += count;
            if count < 100 || context.shutdown.has_begun() {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// The instant up to which ended runs may be forgotten. A clock that is in doubt lets none go by its age.
fn until(clock: &StoreClock) -> Timestamp {
    let set_ahead = clock.corrections().borrow().set_ahead;
    match set_ahead.is_some_and(|set| set.elapsed() < DOUBT) {
        true => Timestamp::default(),
        false => Timestamp::from_millis(clock.now_millis()),
    }
}

#[cfg(test)]
mod tests {
    use millrace_runtime::Ambient;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_ahead_lets_nothing_go_until_it_has_shown_the_same_for_a_while() {
        let clock = StoreClock::new(Ambient::simulated(1_000_000, 1));
        clock.heard(1_000_000, Instant::now());
        assert_eq!(until(&clock), Timestamp::from_millis(1_000_000));
        clock.heard(900_000_000, Instant::now());
        assert_eq!(until(&clock), Timestamp::default());
        clock.heard(1_000_000, Instant::now());
        assert_eq!(until(&clock), Timestamp::default(), "who was wrong once may be so again");
        tokio::time::advance(DOUBT).await;
        assert_eq!(until(&clock), Timestamp::from_millis(1_600_000));
    }
}
