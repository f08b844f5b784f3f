//! What the store has no room for now: new runs and definitions. They are left out of a commit, so that the rest
//! of it goes through, and come again: clients are told to ask again, messages that nobody waits for are held
//! back for a while, schedules fire when there is room.

use std::collections::HashSet;

use millrace_broker::Outgoing;
use millrace_domain::RunId;
use millrace_domain::message::Reply;
use millrace_domain::run::Trigger;
use millrace_store::{Commit, Timer, WorkflowDelta};

use super::actor::Actor;
use super::answer::{Answer, COME_AGAIN, store_full};
use super::command::Command;
use super::commands::submit::Submit;
use super::draft::{FollowUp, Settlement};
use super::fired::{Fire, Fired};
use super::mailbox::Work;

impl Actor {
    /// Leaves out of a refused commit what needs room. `false` when it holds nothing of the kind.
    pub(super) fn leave_out_new(&mut self, commit: &mut Commit, then: &mut FollowUp, why: &str) -> bool {
        let new: HashSet<RunId> =
            commit.runs.iter().filter(|delta| delta.create.is_some()).map(|delta| delta.run).collect();
        let defines = commit.workflows.iter().any(|delta| matches!(delta, WorkflowDelta::Put { .. }));
        if new.is_empty() && !defines {
            return false;
        }
        commit.runs.retain(|delta| !new.contains(&delta.run));
        // A run does not know a continuation that is not there.
        for delta in commit.runs.iter_mut().filter(|delta| delta.head.is_some()) {
            if let Some(run) = self.memory.runs.get(delta.run)
                && run.forget_continuations(|continuation| new.contains(&continuation))
            {
                delta.head = Some(run.head_record());
            }
        }
        then.tasks.retain(|task| !new.contains(&task.run));
        then.stops.retain(|stop| !new.contains(&stop.run));
        then.ended.retain(|run| !new.contains(run));
        then.outcomes.retain(|(run, ..)| !new.contains(run));
        for run in &new {
            self.memory.runs.remove(*run);
        }
        // What changed about workflows goes with their fires: memory forgets it, and reads again what holds.
        for delta in commit.workflows.drain(..) {
            let (WorkflowDelta::Put { workflow, .. }
            | WorkflowDelta::Head { workflow, .. }
            | WorkflowDelta::Unlist { workflow, .. }) = delta;
            self.memory.workflows.read_again(&workflow);
        }
        let of_schedule = |timer: &Timer| matches!(timer, Timer::Fire(..));
        commit.timers.retain(|(_, timer)| !of_schedule(timer));
        commit.cleared.retain(|timer| !of_schedule(timer));
        for Fired { fire, started, .. } in std::mem::take(&mut then.fires) {
            if started.is_some() {
                self.memory.hold_fire(fire.clone());
            }
            self.fire_again(fire);
        }
        for done in &mut then.done {
            let refused = match &done.reply {
                Some(Reply::Run { run_id, .. }) => new.contains(run_id),
                Some(Reply::Workflow { unchanged, .. }) => !unchanged,
                _ => false,
            };
            if refused {
                done.created = None;
                done.reply = Some(store_full(why));
            }
        }
        true
    }

    /// Lets a fire that waits for room come again.
    pub(super) fn fire_again(&self, fire: Fire) {
        Work::silent(Command::Fire(fire)).come_again(self.inner.clone());
    }

    /// Refuses a submission for now.
    pub(super) fn put_off(&self, done: Settlement, messages: &mut Vec<Outgoing>) {
        let Settlement { delivery, answer, reply, .. } = done;
        let Some(reply) = reply else { return };
        match (answer, delivery) {
            // Nobody would hear of it: unacked, it stays the broker's, and comes again.
            (Answer::Nobody, Some(delivery)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(COME_AGAIN).await;
                    delivery.requeue();
                });
            }
            (Answer::Part(gather, place), _) if !gather.is_heard() => {
                // Without it, the array goes back whole when its last part is dropped.
                let Some(submission) = gather.submission(place) else { return };
                let submit = Submit::of(submission, Trigger::Message, self.context.partitions);
                let command = Command::Submit(Box::new(submit));
                let answer = Answer::Part(gather, place);
                Work { command, delivery: None, answer }.come_again(self.inner.clone());
            }
            (answer, delivery) => {
                answer.give(reply, messages);
                if let Some(delivery) = delivery {
                    delivery.ack();
                }
            }
        }
    }
}
