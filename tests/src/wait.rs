//! Waiting for a condition, with a deadline: what tests do instead of sleeping.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// The interval at which a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` returns `Ok`, and returns what is in it. `Err` says what was seen instead.
///
/// # Panics
/// When `within` has passed, with `what` and what was seen last.
pub async fn wait_until<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(Instant::now() < deadline, "waited {within:?} until {what}; last seen: {seen}");
            }
        }
        sleep(LOOK).await;
    }
}
