//! Runs that are steps of others: one for each attempt, which a commit of the parent has asked for, and which has ended
//! before the attempt has.

use millrace_domain::child::WORKFLOW;
use millrace_domain::message::InboxBody;
use millrace_domain::rule::Readiness;
use millrace_domain::run::{Attempts, Ended, Head, RunState};
use millrace_domain::{Outcome, RunId, TaskId, Unit};
use millrace_store::RunDelta;

use super::Auditor;
use super::books::{Book, may_leave_out};
use crate::store::Memory;

impl Auditor {
    /// Notes that a commit has asked for a child, or for its end.
    pub(super) fn asked_for(&mut self, body: &InboxBody) {
        if let InboxBody::StartChild { start, .. } | InboxBody::StopChild { start, .. } = body {
            self.asked.insert(start.parent.attempt, start.parent.waits);
        }
    }

    /// Checks the creation of a run that is a step of another.
    pub(super) fn check_child_created(&mut self, memory: &Memory, run: RunId, delta: &RunDelta) {
        let head = delta.head.as_deref().and_then(|head| serde_json::from_str::<Head>(head).ok());
        let Some(parent) = head.and_then(|head| head.parent) else { return };
        let attempt = parent.attempt;
        if !self.asked.contains_key(&attempt) {
            self.object(8, || format!("run {run} is {parent}, for which no commit has asked"));
        }
        let is_its = memory.founded().is_some_and(|partitions| attempt.child(partitions) == run);
        if let Some(other) = self.children.insert(attempt, run).filter(|_| !is_its) {
            self.object(10, || format!("runs {other} and {run} both are {parent}"));
        }
    }

    /// Checks a step that has become a run of another workflow.
    pub(super) fn check_child_begun(&mut self, book: &Book, run: RunId, unit: Unit, attempts: &Attempts) {
        let Some(known) = book.unit(unit) else { return };
        let leaves_out = may_leave_out(&book.workflow.steps[unit.step.at()]);
        let is_next = attempts.attempt == known.attempt + 1
            || attempts.attempt == known.attempt
            || (attempts.attempt > known.attempt && leaves_out);
        if !is_next || known.ended.is_some() || known.current {
            self.object(3, || format!("step {unit} of run {run} began {attempts:?} after {known:?}"));
        }
        let is_hook = book.workflow.steps[unit.step.at()].is_run_hook();
        if book.readiness(unit.step) != Readiness::Starts || (is_hook && !book.hooks) {
            self.object(4, || {
                format!("step {unit} of run {run} began {attempts:?} although its rule does not hold")
            });
        }
    }

    /// Checks the end of a step that is a run of another workflow.
    pub(super) fn check_child_ended(&mut self, book: &Book, run: RunId, unit: Unit, end: &Ended) {
        let attempt = TaskId { run, unit, attempt: end.attempts.attempt };
        if book.workflow.steps[unit.step.at()].uses != WORKFLOW || end.items.is_some() || end.by.is_some() {
            return;
        }
        let child = self.children.get(&attempt).copied();
        let waits = self.asked.get(&attempt).copied().unwrap_or(true);
        // It may have been refused, which no run tells of.
        let Some((id, child)) = child.and_then(|id| Some((id, self.runs.get(&id)?))) else {
            if end.outcome == Outcome::Succeeded {
                self.object(4, || {
                    format!("step {unit} of run {run} succeeded, and there is no run that it is")
                });
            }
            return;
        };
        if !waits {
            return;
        }
        let head = serde_json::from_str::<Head>(&child.past.head);
        let outputs = head.ok().and_then(|head| head.outputs).unwrap_or_default();
        // One that was stopped while it waited for its next attempt has told of its end before.
        let is_told = end.started_at.is_some();
        let is_same = !is_told || (RunState::from(end.outcome) == child.state && end.outputs == outputs);
        if !child.has_ended() || !is_same {
            let told = format!("{child:?}");
            self.object(4, || format!("step {unit} of run {run} ended: {end:?}; it is run {id}: {told}"));
        }
    }
}
