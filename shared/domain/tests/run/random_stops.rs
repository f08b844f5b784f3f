//! How a random run is stopped, and what its steps come to by that.

use millrace_domain::Outcome;
use millrace_domain::run::{Event, RunState, StepState};

use crate::random_driver::Driver;
use crate::reference::End;

impl Driver<'_> {
    /// Cancels the run. What is being stopped already cannot be stopped twice.
    pub(crate) fn cancel(&mut self) {
        if self.fleet.run.head.is_stopping() {
            let again = self.fleet.apply(Event::Cancel { reason: "more than enough".to_owned() });
            // It tells the children, whose hooks may be under way.
            let has_children = self.fleet.run.children().next().is_some();
            assert_eq!(again.is_ok(), has_children, "what is being stopped was stopped again");
            return;
        }
        self.note_stop(Outcome::Cancelled);
        self.happen(Event::Cancel { reason: "enough".to_owned() }, None);
    }

    /// Notes how the steps will end that have not and are stopped now; what happens to their attempts changes it. The
    /// hooks of the workflow are stopped once they have their turn. "A run that never started has none."
    pub(crate) fn note_stop(&mut self, outcome: Outcome) {
        let head = &self.fleet.run.head;
        let (in_hooks, never_started) = (head.hooks_since.is_some(), head.state == RunState::Waiting);
        for (n, step) in self.case.workflow.steps.iter().enumerate() {
            let is_hook = step.is_hook_of_workflow();
            let attempts = match &self.fleet.run.steps[self.places[n].at()] {
                StepState::Ended(_) => continue,
                StepState::Dispatched(attempts)
                | StepState::Child { attempts, .. }
                | StepState::Locking { attempts, .. }
                | StepState::Backoff { attempts, .. } => attempts.attempt,
                StepState::Asking { end, .. } => end.attempts.attempt,
                // What has not started has no attempts. Those of items are theirs.
                StepState::Waiting | StepState::Fanned(_) => 0,
            };
            if is_hook && never_started {
                self.stopped.insert(n, End::of(Outcome::Skipped, 0, None));
            } else if is_hook == in_hooks {
                self.stopped.insert(n, End::of(Outcome::Cancelled, attempts, None));
            }
        }
        self.stopped_with.get_or_insert(outcome);
        self.interpret();
    }
}
