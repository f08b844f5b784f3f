//! Events that break their run: the rules panic on them, by a mistake of ours. The run's state in memory may be at fault,
//! so such an event is tried again on the stored one, alone, so that nothing else is undone with it. At its third
//! failure its message goes to the rejected queue, and its run fails.

use std::sync::Arc;

use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::run::Event;
use millrace_domain::{Code, PartitionId, RunId};

use super::actor::Actor;
use super::answer::reject;
use super::command::Command;
use super::mailbox::{Input, Work};
use super::memory::owned::Drafts;

/// An event is tried so often.
const TRIES: u32 = 3;

/// The reason that people see who look at the run.
const REASON: &str = "an internal error: see the producer's log";

/// A piece of work that broke a run.
pub(super) struct Broken {
    pub(super) run: RunId,
    pub(super) work: Work,
}

impl Actor {
    /// Whether a command is about a run that was broken before.
    pub(super) fn is_suspect(&self, work: &Work) -> bool {
        work.command.is_event_of(|run| self.failures.contains_key(run))
    }

    /// Work among other work broke a run. What else was done to the partition in this batch must not be committed, since
    /// it may be about the same run: its ownership begins anew, and with that all of it comes again.
    pub(super) fn broke_among_others(&mut self, partition: PartitionId, broken: Broken, drafts: &mut Drafts) {
        let Broken { run, work } = broken;
        let failures = self.failed(run);
        tracing::error!(%run, failures, "an event broke the run: the partition begins anew, and it is tried again");
        work.hand_back();
        if let Some(draft) = drafts.remove(&partition) {
            draft.then.hand_back();
        }
        if let Some(epoch) = self.partitions.get(partition).map(|owned| owned.epoch) {
            self.step_down(partition, epoch);
        }
    }

    /// Work broke a run by itself: nothing else is touched.
    pub(super) fn broke_alone(&mut self, broken: Broken, drafts: &Drafts) {
        let Broken { run, work } = broken;
        for draft in drafts.values() {
            for run in draft.touched() {
                self.memory.runs.remove(run);
            }
        }
        let failures = self.failed(run);
        if failures < TRIES {
            tracing::error!(%run, failures, "an event broke the run: it is tried again");
            return work.come_again(self.inner.clone());
        }
        tracing::error!(%run, failures, "an event broke the run: the run fails");
        if matches!(work.command, Command::Event(_, Event::Poisoned { .. })) {
            // Not even that can be told it.
            self.failures.remove(&run);
            return;
        }
        let poisoned = Command::Event(run, Event::Poisoned { reason: REASON.to_owned() });
        let _ = self.inner.send(Input::Work(Work::silent(poisoned)));
        let context = Arc::clone(&self.context);
        tokio::spawn(async move {
            let error = ReplyError::new(Code::BrokenRun, format!("it broke run {run} {failures} times"));
            if let Some(delivery) = work.delivery {
                let (payload, properties) = (delivery.payload.clone(), delivery.properties.clone());
                if !reject(&*context.broker, payload, properties, &error).await {
                    return delivery.requeue();
                }
                delivery.ack();
            }
            let mut messages = Vec::new();
            work.answer.give(Reply::Error { error }, &mut messages);
            context.broker.publish(messages).await;
        });
    }

    fn failed(&mut self, run: RunId) -> u32 {
        self.memory.runs.remove(run);
        let failures = self.failures.entry(run).or_default();
        *failures += 1;
        *failures
    }
}
