//! The end of a step as it is written down.

use crate::run::verdict::{decides, reason};
use crate::run::{Advanced, Attempts, Ended, Run, StepState};
use crate::{Outcome, StepIndex, Timestamp};

/// The end of a step that no worker reported.
pub(super) fn ended(
    run: &Run,
    outcome: Outcome,
    attempts: Attempts,
    now: Timestamp,
    reason: Option<String>,
) -> Ended {
    Ended {
        outcome,
        attempts,
        started_at: None,
        ended_at: now,
        advance: run.this_advance(),
        order: 0,
        applied_at: Some(now),
        code: None,
        reason,
        after_failure: false,
        outputs: serde_json::Map::new(),
        outputs_bytes: 0,
        worker: String::new(),
        by: None,
        carried: None,
        items: None,
    }
}

/// Marks a step as ended. The first that decides how the run ends is noted in the head at once: lists show it, and a
/// process of version 0.1 that goes on with the run ends it so. We do not go by the note, but see [`Run::verdict`].
pub(super) fn mark_ended(run: &mut Run, step: StepIndex, mut end: Ended, out: &mut Advanced) {
    let definition = &run.workflow.steps[step.at()];
    let decides = decides(definition, end.outcome);
    if decides {
        end.order = out.failed;
        out.failed += 1;
    }
    if decides && run.head.verdict.is_none() {
        run.head.verdict = Some(end.outcome);
        if run.head.reason.is_none() {
            run.head.reason = Some(reason(definition, &end));
        }
        out.head = true;
    }
    out.apart.extend(end.take_large().map(|outputs| (step, outputs)));
    run.elsewhere += u32::from(end.is_apart());
    run.steps[step.at()] = StepState::Ended(Box::new(end));
    run.open -= 1;
    out.units.push(step.into());
}

/// Gives an advance its number, when it has changed the run.
pub(super) fn number(run: &mut Run, out: &Advanced) {
    if out.head || !out.units.is_empty() {
        run.advance += 1;
    }
    if out.head {
        run.head.advance = run.advance;
    }
}
