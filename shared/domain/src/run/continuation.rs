//! A continuation: a run that begins where another one has failed. It carries over what had succeeded there, and runs what
//! failed and what follows from that. The run that had ended stays as it is, and knows its continuations.

use super::{Continuation, Ended, Parent, RetryOf, Run, RunState, StepState};
use crate::{Outcome, RunId, StepIndex, Timestamp};

/// The continuations that a run remembers: the last of them.
const REMEMBERED: usize = 16;

/// What is said of a run that has not failed.
pub const NOTHING: &str = "there is nothing to retry (start it anew with `millrace workflows trigger`)";

impl Run {
    /// The continuation that a request has brought about, as far as the run remembers.
    pub fn continued_by(&self, request: &str) -> Option<RunId> {
        self.head.continuations.iter().find(|known| known.request == request).map(|known| known.run)
    }

    /// The continuation that was created last.
    pub fn continued_last(&self) -> Option<RunId> {
        self.head.continuations.last().map(|known| known.run)
    }

    /// The number of the next continuation, and the run that it will be.
    pub fn next_continuation(&self) -> (u32, RunId) {
        let n = self.head.continuations.last().map_or(0, |known| known.n).saturating_add(1);
        (n, self.id.continuation(n))
    }

    /// Whether the run can be continued, whatever has become of its continuations.
    ///
    /// # Errors
    /// When it cannot, with a text for whoever wants that.
    pub fn can_be_continued(&self) -> Result<(), String> {
        let id = self.id;
        match self.head.state {
            RunState::Failed | RunState::TimedOut | RunState::Cancelled => {}
            state @ (RunState::Waiting | RunState::Running) => {
                return Err(format!(
                    "run {id} is under way ({}): wait for its end, or say which of its steps is to be tried again (millrace runs retry {id} STEP)",
                    state.as_str()
                ));
            }
            RunState::Succeeded => return Err(format!("run {id} has succeeded: {NOTHING}")),
            RunState::Skipped => return Err(format!("run {id} was skipped, and has not failed: {NOTHING}")),
        }
        match self.head.parent.as_deref() {
            // What only starts a run goes on without it, and has nothing to do with its end.
            Some(parent @ Parent { waits: true, .. }) => Err(format!(
                "run {id} is {parent}: retry that run (millrace runs retry {}), which starts this step anew",
                parent.attempt.run
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// What a continuation goes on with, for its head.
    pub fn retry_of(&self, by: &str, why: &str) -> RetryOf {
        let origin = self.head.retry_of.as_ref().map_or(self.id, |of| of.origin);
        RetryOf { run: self.id, origin, by: by.to_owned(), why: why.to_owned() }
    }

    /// Notes a continuation. The run stays as it is otherwise.
    pub fn note_continuation(&mut self, continuation: Continuation) {
        let known = &mut self.head.continuations;
        known.push(continuation);
        let forgotten = known.len().saturating_sub(REMEMBERED);
        known.drain(..forgotten);
    }

    /// Forgets continuations that have come to nothing. Answers whether there were any.
    pub fn forget_continuations(&mut self, is_nothing: impl Fn(RunId) -> bool) -> bool {
        let before = self.head.continuations.len();
        self.head.continuations.retain(|known| !is_nothing(known.run));
        self.head.continuations.len() < before
    }

    /// The steps that a continuation of this run which is created now carries over, with their ends as they will be there: those that have
    /// succeeded and follow from nothing that runs again. A step that was skipped by its rules, after nothing else than such
    /// steps, is skipped again, and keeps nothing from being carried over. Hooks of the run have their turn anew.
    pub fn carried_over(&self, now: Timestamp) -> Vec<(StepIndex, Ended)> {
        let graph = &self.workflow.graph;
        let depths = graph.depths();
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        order.sort_by_key(|step| depths.get(*step));
        let mut stays = vec![false; self.steps.len()];
        let mut carried = Vec::new();
        for place in order {
            let step = StepIndex::from(place);
            let is_hook = self.workflow.steps[place].is_run_hook();
            let StepState::Ended(end) = &self.steps[place] else { continue };
            if is_hook || !graph.dependencies(step).iter().all(|on| stays[on.at()]) {
                continue;
            }
            match end.outcome {
                Outcome::Succeeded => {
                    stays[place] = true;
                    carried.push((step, Ended { applied_at: Some(now), ..end.as_carried(self.id) }));
                }
                Outcome::Skipped => stays[place] = end.by.is_none(),
                Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled | Outcome::Lost => {}
            }
        }
        carried.sort_by_key(|(step, _)| *step);
        carried
    }
}

impl Ended {
    /// The end as a continuation of `run` has it from its beginning. What was carried over before has ended where it was first.
    pub fn as_carried(&self, run: RunId) -> Self {
        Self { advance: 1, order: 0, carried: Some(self.carried.unwrap_or(run)), ..self.clone() }
    }
}
