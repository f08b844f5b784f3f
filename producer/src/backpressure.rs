//! Is there room in the store for new runs? Intake stops before memory is full, so that what has begun can end:
//! results, cancels and timers still go through when nothing new is taken in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_store::Fullness;
use tokio::sync::watch;
use tokio::time::Instant;

/// Intake stops at this part of what the store can hold, and goes on below the other.
const STOP_AT: f64 = 0.85;
const GO_ON_BELOW: f64 = 0.80;

/// After the store has refused something, intake rests for so long at least.
const REST: Duration = Duration::from_secs(3);

/// Whether intake is stopped, and why.
pub(crate) struct Backpressure {
    stopped: watch::Sender<Option<Arc<str>>>,
    refused: Mutex<Option<Instant>>,
}

impl Backpressure {
    /// A backpressure that is off until the store says that there is no room.
    pub(crate) fn new() -> Self {
        Self { stopped: watch::Sender::new(None), refused: Mutex::new(None) }
    }

    /// Why nothing new is taken in; `None` while it is.
    pub(crate) fn why_stopped(&self) -> Option<Arc<str>> {
        self.stopped.borrow().clone()
    }

    /// Waits until something new can be taken in.
    pub(crate) async fn opens(&self) {
        let _ = self.stopped.subscribe().wait_for(Option::is_none).await;
    }

    /// Waits until nothing new can be taken in.
    pub(crate) async fn stops(&self) {
        let _ = self.stopped.subscribe().wait_for(Option::is_some).await;
    }

    /// The store has refused something for want of room.
    pub(crate) fn ran_out(&self, why: &str) {
        if let Ok(mut refused) = self.refused.lock() {
            *refused = Some(Instant::now());
        }
        self.set(Some(why.into()));
    }

    /// Takes note of how full the store says that it is.
    pub(crate) fn heard(&self, fullness: Fullness) {
        metrics::gauge!("millrace_store_used_bytes").set(fullness.used_bytes as f64);
        metrics::gauge!("millrace_store_limit_bytes").set(fullness.limit_bytes.unwrap_or(0) as f64);
        let rests = self.refused.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < REST));
        if rests {
            return;
        }
        let was_stopped = self.stopped.borrow().is_some();
        self.set(judge(was_stopped, fullness));
    }

    fn set(&self, why: Option<Arc<str>>) {
        metrics::gauge!("millrace_intake_stopped").set(f64::from(u8::from(why.is_some())));
        self.stopped.send_if_modified(|stopped| {
            let turned = stopped.is_some() != why.is_some();
            match &why {
                Some(why) if turned => tracing::warn!(%why, "intake is stopped"),
                None if turned => tracing::info!("intake goes on"),
                _ => {}
            }
            *stopped = why;
            turned
        });
    }
}

/// Why intake is to be stopped; between the two marks it stays as it was.
fn judge(was_stopped: bool, fullness: Fullness) -> Option<Arc<str>> {
    let mark = if was_stopped { GO_ON_BELOW } else { STOP_AT };
    let ratio = fullness.ratio().filter(|ratio| *ratio >= mark)?;
    let limit = fullness.limit_bytes.unwrap_or_default();
    Some(
        format!(
            "the store holds {:.0}% of the {} MiB it can: nothing new is taken in until it holds less than {:.0}%; \
             raise maxmemory, or wait for ended runs to expire",
            ratio * 100.0,
            limit.div_ceil(1024 * 1024),
            GO_ON_BELOW * 100.0
        )
        .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intake_stops_at_85_percent_and_goes_on_below_80() {
        let at = |percent: u64| Fullness { used_bytes: percent << 20, limit_bytes: Some(100 << 20) };
        let stopped = |was: bool, percent: u64| judge(was, at(percent)).is_some();
        assert!(!stopped(false, 84) && stopped(false, 85));
        assert!(stopped(true, 84) && stopped(true, 80) && !stopped(true, 79));
        assert!(judge(true, Fullness { used_bytes: 1 << 40, limit_bytes: None }).is_none());
        let why = judge(false, at(91)).unwrap();
        assert!(why.contains("91%") && why.contains("100 MiB"), "{why}");
    }

    #[tokio::test]
    async fn a_refusal_stops_intake_whatever_the_figures_say_for_a_while() {
        let room = Backpressure::new();
        room.opens().await;
        room.ran_out("full");
        room.heard(Fullness::default());
        assert_eq!(room.why_stopped().as_deref(), Some("full"));
        *room.refused.lock().unwrap() = Instant::now().checked_sub(REST);
        room.heard(Fullness::default());
        assert_eq!(room.why_stopped(), None);
    }
}
