//! A batch: everything that happened since the last one, one commit a partition, then the consequences.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_domain::message::Reply;
use millrace_domain::run::{Event, Run, StepState, advance};
use millrace_domain::{PartitionId, RunId, StepIndex, Timestamp};
use millrace_store::{Lane, Timer};

use super::actor::{Actor, Drafts, STORE_PAUSE};
use super::broken::Broken;
use super::draft::{Done, Draft};
use super::mailbox::{What, Work, refusal};
use super::recovery::watch::Passed;
use super::submit::Created;
use super::{schedules, submit};
use crate::failpoint;

impl Actor {
    /// Works a batch: everything that happened, one commit a partition, then the consequences.
    pub(super) async fn batch(&mut self, work: Vec<Work>) {
        if work.is_empty() {
            return;
        }
        failpoint::pass("drained");
        metrics::histogram!("millrace_commit_batch_size").record(work.len() as f64);
        // Runs that may go anywhere fill one partition at a time, in turn: so their results come back together.
        let anywhere = self.order.get(self.turn % self.order.len().max(1)).copied();
        self.turn = self.turn.wrapping_add(1);
        let mut placed = Vec::with_capacity(work.len());
        for one in work {
            match one.partition(self.context.partitions).or(anywhere) {
                Some(partition) if self.owned.contains_key(&partition) => placed.push((partition, one)),
                _ => one.hand_back(),
            }
        }
        let (suspect, placed) = match self.failures.is_empty() {
            true => (Vec::new(), placed),
            false => placed.into_iter().partition(|(_, work)| self.is_suspect(work)),
        };
        self.together(placed).await;
        for one in suspect {
            self.together(vec![one]).await;
        }
    }

    /// Works what shares its commits.
    async fn together(&mut self, placed: Vec<(PartitionId, Work)>) {
        // Without the store nothing can be done, and timers that were taken out must not be forgotten: wait for it.
        let loaded = loop {
            match self.load(&placed).await {
                Some(loaded) => break loaded,
                None if self.context.shutdown.has_begun() => {
                    return placed.into_iter().for_each(|(_, one)| one.hand_back());
                }
                None => tokio::time::sleep(STORE_PAUSE).await,
            }
        };
        let now = self.context.now();
        let mut drafts = Drafts::new();
        let is_alone = placed.len() == 1;
        for (partition, one) in placed {
            if !self.owned.contains_key(&partition) {
                one.hand_back();
                continue;
            }
            match self.work(partition, one, &loaded, &mut drafts, now) {
                Ok(()) => {}
                Err(broken) if is_alone => return self.broke_alone(*broken, &drafts),
                Err(broken) => self.broke_among_others(partition, *broken, &mut drafts),
            }
        }
        self.settle(drafts, now).await;
    }

    /// The draft of a partition that is ours.
    pub(super) fn draft<'d>(&self, drafts: &'d mut Drafts, partition: PartitionId) -> Option<&'d mut Draft> {
        let owned = self.owned.get(&partition)?;
        Some(drafts.entry(partition).or_insert_with(|| Draft::new(owned.epoch, owned.seq)))
    }

    /// One piece of work.
    fn work(
        &mut self,
        partition: PartitionId,
        work: Work,
        loaded: &submit::Loaded,
        drafts: &mut Drafts,
        now: Timestamp,
    ) -> Result<(), Box<Broken>> {
        let Work { what, delivery, answer } = work;
        let doubtful = matches!(what, What::Restore(_));
        let mut done = Done { delivery, answer, reply: None, rejected: None, created: None };
        match what {
            What::Submit(wanted) | What::Restore(wanted) => {
                done.reply = Some(match submit::create(self, partition, wanted, loaded, drafts, now) {
                    Created::New(run_id) => {
                        done.created = Some(run_id);
                        Reply::Run { run_id, duplicate: false }
                    }
                    Created::Known(run_id) => Reply::Run { run_id, duplicate: true },
                    Created::Refused(reply, wanted) => {
                        done.rejected = submit::rejected(&wanted, done.delivery.as_ref());
                        reply
                    }
                });
            }
            What::Event(run, event) => {
                // What happens to a run that this very commit creates must wait for the commit's verdict.
                if drafts.get(&partition).is_some_and(|draft| draft.creates(run)) {
                    let Done { delivery, answer, .. } = done;
                    self.deferred.push_back(Work { what: What::Event(run, event), delivery, answer });
                    return Ok(());
                }
                if self.event(partition, run, &event, drafts, now).is_err() {
                    let Done { delivery, answer, .. } = done;
                    let work = Work { what: What::Event(run, event), delivery, answer };
                    return Err(Box::new(Broken { run, work }));
                }
                done.reply = Some(Reply::Run { run_id: run, duplicate: false });
            }
            What::Results(results) => {
                let broke = |(run, event): &(RunId, Event)| {
                    self.event(partition, *run, event, drafts, now).is_err().then_some(*run)
                };
                if let Some(run) = results.iter().find_map(broke) {
                    let Done { delivery, answer, .. } = done;
                    let work = Work { what: What::Results(results), delivery, answer };
                    return Err(Box::new(Broken { run, work }));
                }
            }
            What::Held(task, session) => self.watch.suspect(task, session),
            What::Apply(apply) => done.reply = Some(schedules::apply(self, partition, *apply, drafts, now)),
            What::Pause(name, paused) => {
                done.reply = Some(schedules::pause(self, partition, &name, paused, drafts, now));
            }
            What::Delete(name) => done.reply = Some(schedules::delete(self, partition, &name, drafts, now)),
            What::Replan(_, planned) => {
                self.plan(partition, &planned, drafts, now);
                done.reply = Some(Reply::Many(Vec::new()));
            }
            What::Fire(name, index, due) => schedules::fire(self, partition, &name, index, due, drafts, now),
        }
        if let Some(draft) = self.draft(drafts, partition) {
            draft.then.doubtful |= doubtful;
            draft.then.done.push(done);
        }
        Ok(())
    }

    /// Something happened to a run. An error when it broke it.
    fn event(
        &mut self,
        partition: PartitionId,
        id: RunId,
        event: &Event,
        drafts: &mut Drafts,
        now: Timestamp,
    ) -> Result<(), ()> {
        let stale_timer = match event {
            Event::StartDue => Some(Timer::Start(id)),
            Event::RetryDue { step } => Some(Timer::Retry(id, *step)),
            Event::TimedOut => Some(Timer::RunTimeout(id)),
            Event::CancelCheckDue => Some(Timer::CancelCheck(id)),
            _ => None,
        };
        let retention = self.context.options.retention;
        let run = self.runs.get(id);
        if let (Some(run), Event::Result(result)) = (&run, event) {
            note_claimed(&mut self.claimed, run, result.step, now);
            self.pace.note(run, result.step, result.ended_at.since(result.started_at));
        }
        let outcome = run.map(|run| {
            let advanced = catch_unwind(AssertUnwindSafe(|| {
                failpoint::pass("advance");
                advance(run, event.clone(), now)
            }));
            if let (Ok(Ok(advanced)), Some(owned)) = (&advanced, self.owned.get_mut(&partition)) {
                owned.note_ended(run, advanced);
            }
            advanced
        });
        if let (Some(Ok(Ok(_))), Event::Result(result)) = (&outcome, event) {
            self.runs.note_outputs(&result.outputs);
        }
        if let Some(Err(_)) = outcome {
            tracing::error!(run = %id, ?event, "an event broke the run");
            return Err(());
        }
        let Some(draft) = self.draft(drafts, partition) else { return Ok(()) };
        // A timer that went off is cleared, unless the advance sets it again.
        match stale_timer {
            Some(timer) if outcome.is_some() => draft.delta(id).cleared.push(timer),
            Some(timer) => draft.cleared.push(timer),
            None => {}
        }
        match outcome {
            None => unknown_run(id, event),
            Some(Ok(Ok(advanced))) => draft.take(id, advanced, now, retention),
            Some(Ok(Err(refusal))) => {
                tracing::debug!(run = %id, %refusal, "an event without effect");
                retire_stale(draft, id, event);
            }
            Some(Err(_)) => {}
        }
        Ok(())
    }
}

/// A result shows how far the queue of its pool and priority has been worked off.
fn note_claimed(claimed: &mut Passed, run: &Run, step: StepIndex, now: Timestamp) {
    let dispatched_at = match run.steps.get(step.at()) {
        // By a clock that was ahead, it would say that all that was dispatched since is lost.
        Some(StepState::Dispatched(attempts)) if attempts.dispatched_at <= now => attempts.dispatched_at,
        _ => return,
    };
    let Some(step) = run.workflow.step(step) else { return };
    let lane = Lane { pool: step.pool.clone(), priority: run.spec.priority };
    let latest = claimed.entry(lane).or_default();
    *latest = (*latest).max(dispatched_at);
}

/// Something happened to a run that is not stored. What a task has brought about may be in no other place.
fn unknown_run(run: RunId, event: &Event) {
    let Event::Result(result) = event else {
        return tracing::debug!(%run, "an event for a run that is not there");
    };
    let (step, attempt, outcome) = (result.step.0, result.attempt, result.outcome);
    tracing::warn!(%run, step, attempt, %outcome, "a result is dropped: its run is not stored (any more)");
    metrics::counter!("millrace_dropped_total", "what" => "result", "why" => "unknown-run").increment(1);
}

/// A result that came too late leaves nothing behind in the store.
fn retire_stale(draft: &mut Draft, run: RunId, event: &Event) {
    if let Event::Result(result) = event {
        draft.delta(run).retired.push((result.step, result.attempt));
    }
}

/// An answer for what cannot be done.
pub(super) fn unknown_workflow(name: &impl std::fmt::Display) -> Reply {
    refusal(
        "unknown-workflow",
        format!("there is no workflow {name}; `millrace workflows list` shows what there is"),
    )
}
