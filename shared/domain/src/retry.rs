//! When, and how often, a step is tried again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::{Outcome, RunId, Unit};

/// The retry policy of a step. A lost attempt is not a retry: it has a limit of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The number of retries after the first attempt; 0 is none.
    pub limit: u32,
    /// The wait before the first retry.
    pub delay: Duration,
    /// The factor by which each further wait is longer than the one before; at least 1.
    pub backoff: f64,
    /// The longest wait.
    pub max_delay: Duration,
    /// Whether the wait is drawn from [half, whole] of what the backoff gives, so that a herd spreads out.
    pub jitter: bool,
    /// The outcomes that are retried.
    pub outcomes: Vec<Outcome>,
    /// How long somebody is asked what is to become of a step that has used up its retries; `None` when it simply fails.
    pub ask: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            limit: 0,
            delay: Duration::from_secs(1),
            backoff: 2.0,
            max_delay: Duration::from_secs(300),
            jitter: true,
            outcomes: vec![Outcome::Failed, Outcome::TimedOut],
            ask: None,
        }
    }
}

/// The policy of all steps that have none of their own.
static SHARED_DEFAULT: LazyLock<Arc<RetryPolicy>> = LazyLock::new(Arc::default);

impl RetryPolicy {
    /// The policy of a step that says nothing of retries: the default, of which there is one for all such steps.
    pub fn shared_default() -> Arc<Self> {
        Arc::clone(&SHARED_DEFAULT)
    }

    /// The wait before the next attempt after `outcome`, or `None` when there is no next attempt.
    /// `retries` have been used so far. `draw` in 0..=u64::MAX decides the jitter.
    pub fn wait_after(&self, outcome: Outcome, retries: u32, draw: u64) -> Option<Duration> {
        if retries >= self.limit || !self.outcomes.contains(&outcome) {
            return None;
        }
        let share = if self.jitter { 0.5 + 0.5 * (draw as f64 / u64::MAX as f64) } else { 1.0 };
        Some(self.longest_wait(retries).mul_f64(share))
    }

    /// The wait after `retries` when the jitter takes nothing off it.
    pub fn longest_wait(&self, retries: u32) -> Duration {
        let exponent = i32::try_from(retries).unwrap_or(i32::MAX);
        let whole = self.delay.as_secs_f64() * self.backoff.powi(exponent);
        Duration::from_secs_f64(whole.min(self.max_delay.as_secs_f64()))
    }
}

/// A number that looks random and is the same every time for the same attempt of a unit, so that the core stays pure
/// and a replay waits as long as the original. (SplitMix64's finaliser.)
pub fn draw(run: RunId, unit: Unit, attempt: u32) -> u64 {
    let mut seed = u64::from(unit.step.0) << 32 | u64::from(attempt);
    if let Some(item) = unit.item {
        seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(item) + 1);
    }
    for byte in run.to_string().bytes() {
        seed = seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
    }
    seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::StepIndex;

    fn policy(jitter: bool) -> RetryPolicy {
        RetryPolicy { limit: 5, jitter, max_delay: Duration::from_secs(10), ..RetryPolicy::default() }
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_end_at_the_limit() {
        let waits: Vec<_> = (0..6).map(|n| policy(false).wait_after(Outcome::Failed, n, 0)).collect();
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(4), seconds(8), seconds(10), None]);
    }

    #[test]
    fn jitter_stays_between_half_and_the_whole() {
        for draw in [0, u64::MAX / 3, u64::MAX] {
            let wait = policy(true).wait_after(Outcome::TimedOut, 1, draw).unwrap().as_secs_f64();
            assert!((1.0..=2.0).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn only_listed_outcomes_are_retried() {
        assert_eq!(policy(true).wait_after(Outcome::Cancelled, 0, 0), None);
    }

    #[test]
    fn items_of_a_step_do_not_wait_alike() {
        let run = "018f5a9e-0000-7000-8000-000000000003".parse().unwrap();
        let unit = |item| Unit { step: StepIndex(4), item };
        let draws: HashSet<u64> =
            [None].into_iter().chain((0..1_000).map(Some)).map(|item| draw(run, unit(item), 1)).collect();
        assert_eq!(draws.len(), 1_001);
        assert_eq!(draw(run, unit(Some(7)), 1), draw(run, unit(Some(7)), 1));
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        let policy = RetryPolicy { limit: u32::MAX, ..policy(false) };
        assert_eq!(policy.wait_after(Outcome::Failed, u32::MAX - 1, 0), Some(Duration::from_secs(10)));
    }
}
