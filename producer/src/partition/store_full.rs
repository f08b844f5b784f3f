//! What the store has no room for now: new runs and definitions. They are left out of a commit, so that the rest
//! of it goes through, and come again: clients are told to ask again, messages that nobody waits for are held
//! back for a while, schedules fire when there is room.

use std::collections::HashSet;
use std::time::Duration;

use millrace_broker::Outgoing;
use millrace_domain::message::Reply;
use millrace_domain::run::Trigger;
use millrace_domain::{RunId, Timestamp, WorkflowName};
use millrace_store::{Commit, Timer, WorkflowDelta};
use tokio::sync::mpsc::UnboundedSender;

use super::actor::Actor;
use super::draft::{Done, Then};
use super::mailbox::{Answer, Input, What, Work, refusal};
use super::schedules::Fired;
use crate::intake::gateway::keyed;

/// The code of the answer.
pub(crate) const STORE_FULL: &str = "store-full";

/// What was refused for now comes again after so long.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(2);

/// A fire: the workflow, which of its schedules, and the instant.
pub(crate) type Fire = (WorkflowName, u32, Timestamp);

/// The answer to what the store has no room for.
pub(crate) fn store_full(why: &str) -> Reply {
    refusal(STORE_FULL, format!("{why}; this was not taken in: try again later"))
}

/// Is it refused for now only?
pub(crate) fn is_for_now(reply: &Reply) -> bool {
    matches!(reply, Reply::Error { error } if error.code == STORE_FULL)
}

impl Actor {
    /// Leaves out of a refused commit what needs room. `false` when it holds nothing of the kind.
    pub(super) fn leave_out_new(&mut self, commit: &mut Commit, then: &mut Then, why: &str) -> bool {
        let new: HashSet<RunId> =
            commit.runs.iter().filter(|delta| delta.create.is_some()).map(|delta| delta.run).collect();
        let defines = commit.workflows.iter().any(|delta| matches!(delta, WorkflowDelta::Put { .. }));
        if new.is_empty() && !defines {
            return false;
        }
        commit.runs.retain(|delta| !new.contains(&delta.run));
        then.tasks.retain(|task| !new.contains(&task.run));
        then.stops.retain(|stop| !new.contains(&stop.run));
        then.ended.retain(|run| !new.contains(run));
        then.outcomes.retain(|(run, _)| !new.contains(run));
        for run in &new {
            self.runs.remove(*run);
        }
        // What changed about workflows goes with their fires: memory forgets it, and reads again what holds.
        for delta in commit.workflows.drain(..) {
            let (WorkflowDelta::Put { workflow, .. }
            | WorkflowDelta::Head { workflow, .. }
            | WorkflowDelta::Unlist { workflow, .. }) = delta;
            self.workflows.read_again(&workflow);
        }
        let of_schedule = |timer: &Timer| matches!(timer, Timer::Fire(..));
        commit.timers.retain(|(_, timer)| !of_schedule(timer));
        commit.cleared.retain(|timer| !of_schedule(timer));
        for Fired { fire, started, .. } in std::mem::take(&mut then.fires) {
            match started {
                None => come_again(self.inner.clone(), fire),
                Some(_) => self.hold_fire(fire),
            }
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

    /// A fire waits for room. It is not missed by that, however long it takes.
    pub(super) fn hold_fire(&mut self, fire: Fire) {
        if self.held_fires.insert(fire.clone()) {
            metrics::counter!("millrace_fires_total", "result" => "held").increment(1);
        }
        come_again(self.inner.clone(), fire);
    }

    /// Somebody's submission is refused for now.
    pub(super) fn put_off(&self, done: Done, messages: &mut Vec<Outgoing>) {
        let Done { delivery, answer, reply, .. } = done;
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
                let submit = keyed(submission, Trigger::Message, self.context.partitions);
                let what = What::Submit(Box::new(submit));
                let answer = Answer::Part(gather, place);
                later(self.inner.clone(), Work { what, delivery: None, answer });
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

fn come_again(inner: UnboundedSender<Input>, (workflow, index, due): Fire) {
    later(inner, Work::silent(What::Fire(workflow, index, due)));
}

/// Puts work into the loop again after a while.
pub(super) fn later(inner: UnboundedSender<Input>, work: Work) {
    tokio::spawn(async move {
        tokio::time::sleep(COME_AGAIN).await;
        let _ = inner.send(Input::Work(work));
    });
}
