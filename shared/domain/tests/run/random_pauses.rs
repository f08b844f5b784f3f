//! Pauses of a random run: they hold what would begin, and change nothing of what it comes to.

use millrace_domain::run::{RunDeed, RunState};

use crate::pauses::run_act;
use crate::random_driver::Driver;

impl Driver<'_> {
    /// Pauses the run, or lets it go on. Who is told which locks a run has asked for, and when, is told of one that is not
    /// paused: what gives locks back asks for them once more.
    pub(crate) fn pause(&mut self, is_to_pause: bool) {
        let head = &self.fleet.run.head;
        let is_open = head.state == RunState::Running && head.stopping.is_none();
        let has_locks = self.fleet.run.workflow.steps.iter().any(|step| !step.locks.is_empty());
        match (is_to_pause, head.paused.is_some()) {
            (true, false) if is_open && !has_locks => {
                self.saw.push("a run was paused");
                self.happen(run_act(self.fleet.history.len(), RunDeed::Pause), None);
            }
            (false, true) => self.resume(),
            _ => {}
        }
    }

    /// Lets a paused run go on. `false` when it is not paused.
    pub(crate) fn is_let_go_on(&mut self) -> bool {
        let is_paused = self.fleet.run.head.paused.is_some();
        if is_paused {
            self.resume();
        }
        is_paused
    }

    fn resume(&mut self) {
        self.saw.push("a run was resumed");
        self.happen(run_act(self.fleet.history.len(), RunDeed::Resume), None);
    }
}
