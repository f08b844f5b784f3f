//! From the drafts of a batch to their commits, and to what the commits allow: publishing, stopping, answering,
//! acking.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::Outgoing;
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::task::Task;
use millrace_domain::{Epoch, Outcome, PartitionId, RunId, Seq, StepIndex, TaskId, Timestamp, WorkflowId};
use millrace_store::{Commit, Verdict, WorkflowDelta};

use super::actor::Actor;
use super::answer::{is_for_now, reject};
use super::commit::commit;
use super::dispatch::letters;
use super::draft::{FollowUp, Settlement};
use super::letter::Sent;
use super::memory::owned::Drafts;
use super::recovery::stop;
use super::recovery::watched::{FAR, LONGEST_LOOK};
use crate::confirmed::tell_lost;
use crate::context::Context;
use crate::failpoint;
use crate::intake::parked::park;

/// When there is no room even for what has begun, it is tried again after so long.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

impl Actor {
    /// Commits the drafts and does what they want done.
    pub(super) async fn settle(&mut self, drafts: Drafts, now: Timestamp) {
        let published_until = self.context.published.until(|| now);
        let mut commits = Vec::new();
        let mut touched = Vec::new();
        let mut consequences = Vec::new();
        for (partition, mut draft) in drafts {
            if draft.is_empty() {
                consequences.push((partition, draft.then, Vec::new()));
                continue;
            }
            let runs = &mut self.memory.runs;
            let ids: Vec<RunId> = draft.touched();
            for id in ids {
                if let Some(run) = runs.get(id) {
                    draft.record(run);
                }
            }
            let is_ahead = self.partitions.get(partition).is_some_and(|owned| owned.is_ahead);
            commits.push(draft.commit(partition, if is_ahead { FAR } else { published_until }));
            touched.push((partition, draft.then));
        }
        failpoint::pass("before-commit");
        while !commits.is_empty() {
            let Some(verdicts) = commit(&self.context, &commits).await else {
                for (partition, then) in touched {
                    then.hand_back();
                    self.drop_partition(partition);
                }
                break;
            };
            let pending = commits.drain(..).zip(std::mem::take(&mut touched));
            let mut is_short = false;
            let mut again = Vec::new();
            for ((mut commit, (partition, mut then)), verdict) in pending.zip(verdicts) {
                match verdict {
                    Ok(Verdict::Applied { duplicates }) => {
                        self.applied(&commit, &duplicates);
                        then.letters = Sent::by(&commit, &duplicates);
                        consequences.push((partition, then, duplicates));
                    }
                    Ok(Verdict::Fenced { epoch, seq }) => {
                        fenced(&commit, epoch, seq);
                        then.hand_back();
                        self.step_down(partition, commit.epoch);
                    }
                    Ok(Verdict::Full { why }) => {
                        self.context.backpressure.ran_out(&why);
                        is_short |= !self.leave_out_new(&mut commit, &mut then, &why);
                        match is_empty(&commit) && !then.doubtful {
                            true => consequences.push((partition, then, Vec::new())),
                            false => again.push((commit, (partition, then))),
                        }
                    }
                    Err(error) => {
                        tracing::error!(%partition, %error, "its commit cannot be applied: stepping down, and beginning anew");
                        then.hand_back();
                        self.step_down(partition, commit.epoch);
                    }
                }
            }
            (commits, touched) = again.into_iter().unzip();
            if is_short {
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
        failpoint::pass("after-commit");
        self.follow_up(consequences, now).await;
    }

    /// The store does not take our commits for this partition: its ownership begins anew, with us or somebody else.
    pub(super) fn step_down(&mut self, partition: PartitionId, epoch: Epoch) {
        self.drop_partition(partition);
        self.watch.stepped_down(partition);
        let _ = self.context.stepped_down.send((partition, epoch));
    }

    /// What a commit that holds means for memory. Of runs that existed already, the store has changed nothing.
    fn applied(&mut self, commit: &Commit, duplicates: &[RunId]) {
        let partition = commit.partition;
        if let Some(owned) = self.partitions.get_mut(partition) {
            owned.seq = commit.seq;
            self.context.confirmed.note(partition, commit.epoch, commit.seq);
            owned.watching |= commit.runs.iter().any(|delta| !delta.dispatched.is_empty());
        }
        let runs = commit.runs.iter().filter(|delta| !duplicates.contains(&delta.run));
        for timer in commit.cleared.iter().chain(runs.clone().flat_map(|delta| &delta.cleared)) {
            self.memory.timers.clear(partition, timer);
        }
        for (due, timer) in commit.timers.iter().chain(runs.flat_map(|delta| &delta.timers)) {
            self.memory.timers.set(partition, *due, timer.clone());
        }
        for delta in &commit.workflows {
            if let WorkflowDelta::Put { workflow, version, .. } = delta
                && let Some(entry) = self.memory.workflows.any(workflow)
                && entry.head.version == *version
            {
                self.context.definitions.keep(workflow, *version, &entry.workflow);
            }
        }
    }

    /// Publishes, stops, answers and acks: what commits allow. Tasks go first, since somebody waits for them.
    async fn follow_up(&mut self, consequences: Vec<(PartitionId, FollowUp, Vec<RunId>)>, now: Timestamp) {
        let (mut tasks, mut letters) = (Vec::new(), Vec::new());
        let mut settled: Vec<Settlement> = Vec::new();
        for (partition, then, _) in &consequences {
            self.count_ended(*partition, &then.outcomes);
        }
        let in_flight = self.partitions.in_flight();
        for (partition, then, duplicates) in consequences {
            let FollowUp {
                tasks: mut new,
                letters: mut sent,
                stops,
                take_backs,
                done,
                ended,
                outcomes: _,
                fires,
                held,
                suspects,
                kept,
                doubtful: _,
            } = then;
            self.look_later(partition, kept, now);
            fires.iter().for_each(|fired| fired.count(&duplicates));
            held.into_iter().for_each(|fire| self.fire_again(fire));
            suspects.into_iter().for_each(|(task, session)| self.watch.suspect(task, session));
            for id in &duplicates {
                self.memory.runs.remove(*id);
            }
            if !duplicates.is_empty() {
                new.retain(|task| !duplicates.contains(&task.run));
            }
            if let Some(owned) = self.partitions.get_mut(partition) {
                owned.note_dispatched(&new);
            }
            tasks.append(&mut new);
            letters.append(&mut sent);
            for (run, tasks) in take_backs.into_iter().filter(|(run, _)| !duplicates.contains(run)) {
                if let Some(owned) = self.partitions.get(partition) {
                    stop::take_back(&self.context, self.inner.clone(), (partition, owned.epoch), run, tasks);
                }
            }
            for stop in stops.into_iter().filter(|stop| !duplicates.contains(&stop.run)) {
                if let Some(owned) = self.partitions.get(partition) {
                    stop::carry_out(&self.context, self.inner.clone(), partition, owned.epoch, stop);
                }
            }
            for id in ended {
                self.failures.remove(&id);
                self.memory.lent.forget(id);
                if let Some(run) = self.memory.runs.remove(id) {
                    self.failed_runs.tell(&run);
                }
            }
            settled.extend(done.into_iter().map(|mut one| {
                if let (Some(Reply::Run { duplicate, .. }), Some(run)) = (&mut one.reply, one.created) {
                    *duplicate |= duplicates.contains(&run);
                }
                one
            }));
        }
        failpoint::pass("before-publish");
        if !tasks.is_empty() {
            count_dispatched(&tasks);
            self.dispatcher.publish(tasks, self.watch.capacity(), &in_flight, now);
            // What was just spawned comes first.
            tokio::task::yield_now().await;
        }
        letters::send(&self.context, &self.inner, letters);
        self.conclude(settled);
        self.dispatcher.outbox.room().await;
    }

    /// Lets the watch look more seldom at attempts of runs that only a newer version can read.
    pub(super) fn look_later(&self, partition: PartitionId, kept: Vec<TaskId>, now: Timestamp) {
        let Some(epoch) =
            self.partitions.get(partition).map(|owned| owned.epoch).filter(|_| !kept.is_empty())
        else {
            return;
        };
        let context = Arc::clone(&self.context);
        tokio::spawn(async move {
            let looks: Vec<_> = kept.into_iter().map(|task| (now + LONGEST_LOOK, task)).collect();
            if let Err(error) = context.store.set_looks(partition, epoch, now, &looks).await {
                tracing::debug!(%partition, %error, "the watch cannot be set");
            }
        });
    }

    /// Answers and acks.
    fn conclude(&mut self, settled: Vec<Settlement>) {
        let mut messages: Vec<Outgoing> = Vec::new();
        for one in settled {
            if one.reply.as_ref().is_some_and(is_for_now) {
                self.put_off(one, &mut messages);
                continue;
            }
            if let (Some(Reply::Error { error }), Some(_)) = (&one.reply, &one.rejected) {
                let error = error.clone();
                tokio::spawn(reject_and_settle(Arc::clone(&self.context), one, error));
                continue;
            }
            let Settlement { delivery, answer, reply, parked, .. } = one;
            let delivery = match (delivery, parked) {
                (Some(delivery), Some((partition, why))) => {
                    park(&self.context, partition, delivery, &why);
                    continue;
                }
                (delivery, _) => delivery,
            };
            match reply {
                Some(reply) => answer.give(reply, &mut messages),
                None => answer.done(),
            }
            if let Some(delivery) = delivery {
                failpoint::pass("before-ack");
                delivery.ack();
            }
        }
        failpoint::pass("after-ack");
        if !messages.is_empty() {
            let context = Arc::clone(&self.context);
            tokio::spawn(async move {
                for error in context.broker.publish(messages).await.into_iter().filter_map(Result::err) {
                    tracing::debug!(%error, "an answer could not be delivered");
                }
            });
        }
    }

    /// Counts attempts that ended, for the metrics and as no longer in flight.
    fn count_ended(&mut self, partition: PartitionId, outcomes: &[(RunId, StepIndex, Outcome)]) {
        // Of a batch, most are of one workflow and end alike: looking a counter up costs more than counting.
        let mut alike: Option<(Option<WorkflowId>, Outcome, u64)> = None;
        for (id, step, outcome) in outcomes {
            let run = self.memory.runs.get(*id);
            let workflow = run.as_ref().map(|run| run.head.workflow.clone());
            match &mut alike {
                Some((of, ended, count)) if *of == workflow && ended == outcome => *count += 1,
                other => {
                    if let Some(before) = other.replace((workflow, *outcome, 1)) {
                        count_alike(&before);
                    }
                }
            }
            let step = run.and_then(|run| run.workflow.step(*step));
            if let (Some(step), Some(owned)) = (step, self.partitions.get_mut(partition)) {
                owned.note_ended(&step.queue());
            }
        }
        if let Some(rest) = &alike {
            count_alike(rest);
        }
    }
}

/// Counts attempts of one workflow that ended alike.
fn count_alike((workflow, outcome, count): &(Option<WorkflowId>, Outcome, u64)) {
    let workflow = workflow.as_ref().map_or_else(|| "unknown".to_owned(), WorkflowId::to_string);
    metrics::counter!("millrace_task_runs_total", "workflow" => workflow, "outcome" => outcome.as_str())
        .increment(*count);
}

/// The store does not take a commit that follows what it has confirmed to us: says why.
fn fenced(commit: &Commit, epoch: Epoch, seq: Seq) {
    let (partition, ours, confirmed) = (commit.partition, commit.epoch, Seq(commit.seq.0.saturating_sub(1)));
    // Of another owner it can only be a later epoch.
    match epoch.cmp(&ours) {
        Ordering::Greater => {
            tracing::warn!(%partition, ours = ours.0, theirs = epoch.0, "somebody else owns it: stepping down");
        }
        Ordering::Equal => tell_lost(partition, confirmed, seq),
        Ordering::Less => tell_lost(partition, confirmed, Seq(0)),
    }
}

fn count_dispatched(tasks: &[Task]) {
    for tasks in tasks.chunk_by(|one, other| one.pool == other.pool) {
        metrics::counter!("millrace_tasks_dispatched_total", "pool" => tasks[0].pool.to_string())
            .increment(tasks.len() as u64);
    }
}

/// Whether a commit changes nothing.
fn is_empty(commit: &Commit) -> bool {
    commit.runs.is_empty()
        && commit.workflows.is_empty()
        && commit.timers.is_empty()
        && commit.cleared.is_empty()
        && commit.letters.is_empty()
        && commit.tables.is_empty()
}

/// A submission that came by message and is refused: acked and answered once the rejected queue has it.
async fn reject_and_settle(context: Arc<Context>, done: Settlement, error: ReplyError) {
    let Settlement { delivery, answer, reply, rejected, .. } = done;
    let Some((payload, properties)) = rejected else { return };
    // Unsettled, the delivery goes back, and so does an array that this is a part of.
    if !reject(&*context.broker, payload, properties, &error).await {
        return;
    }
    let mut messages = Vec::new();
    if let Some(reply) = reply {
        answer.give(reply, &mut messages);
    }
    context.broker.publish(messages).await;
    if let Some(delivery) = delivery {
        delivery.ack();
    }
}

impl FollowUp {
    /// The commit did not hold: messages go back, and whoever waits asks again.
    pub(super) fn hand_back(self) {
        for done in self.done {
            if let Some(delivery) = done.delivery {
                delivery.requeue();
            }
        }
    }
}
