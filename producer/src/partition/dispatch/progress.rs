//! How far the queue of each pool and priority has been worked off, as results show: what was dispatched well before
//! the latest attempt that came back, and is not claimed, is lost.

use std::collections::HashMap;

use millrace_domain::run::{Run, StepState};
use millrace_domain::{Lane, Timestamp, Unit};

/// When the latest attempt was dispatched of those that came back, by where they waited.
pub(crate) type Progress = HashMap<Lane, Timestamp>;

/// Learns from the result of a step that is dispatched.
pub(super) fn note(progress: &mut Progress, run: &Run, unit: Unit, now: Timestamp) {
    let dispatched_at = match run.state_of(unit) {
        // By a clock that was ahead, it would say that all that was dispatched since is lost.
        Some(StepState::Dispatched(attempts)) if attempts.dispatched_at <= now => attempts.dispatched_at,
        _ => return,
    };
    let Some(step) = run.workflow.step(unit.step) else { return };
    let lane = Lane { queue: step.queue(), priority: run.priority() };
    let latest = progress.entry(lane).or_default();
    *latest = (*latest).max(dispatched_at);
}
