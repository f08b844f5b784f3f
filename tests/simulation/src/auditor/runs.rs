//! What commits may do to runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::lock::{Holder, Need};
use millrace_domain::rule::Readiness;
use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Attempts, Head, RunState, Source, Spec};
use millrace_domain::{Epoch, Outcome, PartitionId, RunId, StepIndex, TaskId, Unit};
use millrace_store::{Commit, Dispatched, RunDelta, Verdict};

use super::Auditor;
use super::books::{Book, Past, Step, may_leave_out};
use crate::clock::Believed;
use crate::store::Memory;

impl Auditor {
    /// Notes that somebody took a partition.
    pub(crate) fn acquired(&mut self, partition: PartitionId, epoch: Epoch) {
        let last = self.partitions.insert(partition, (epoch, Default::default()));
        self.takeovers += u64::from(last.is_some());
        if last.is_some_and(|(last, _)| last >= epoch) {
            self.object(5, || {
                format!("partition {partition} was taken under epoch {}, which is not new", epoch.0)
            });
        }
    }

    /// Notes that commits are sent, perhaps again.
    pub(crate) fn sent(&mut self, commits: &[Commit], believed: Believed) {
        for commit in commits {
            let key = (commit.partition, commit.epoch, commit.seq);
            self.made.entry(key).or_insert(believed.earliest);
        }
    }

    /// Notes how a commit was answered.
    pub(crate) fn committed(
        &mut self,
        memory: &Memory,
        commit: &Commit,
        verdict: &Verdict,
        believed: Believed,
    ) {
        let Verdict::Applied { duplicates } = verdict else { return };
        let partition = commit.partition;
        let made = self.made.remove(&(partition, commit.epoch, commit.seq));
        let believed = Believed { earliest: made.unwrap_or(believed.earliest), ..believed };
        let (epoch, seq) = self.partitions.get(&partition).copied().unwrap_or_default();
        if commit.epoch != epoch {
            let ours = commit.epoch.0;
            return self.object(5, || {
                format!("epoch {ours} wrote to partition {partition}, which is {}'s", epoch.0)
            });
        }
        if commit.seq == seq {
            return;
        }
        if commit.seq != seq.next() {
            let next = commit.seq.0;
            return self.object(5, || format!("commit {next} of partition {partition} came after {}", seq.0));
        }
        self.partitions.insert(partition, (epoch, commit.seq));
        for delta in commit.runs.iter().filter(|delta| !duplicates.contains(&delta.run)) {
            self.changed(memory, delta);
        }
        self.told(memory, commit, duplicates);
        self.scheduled(memory, commit, believed);
    }

    fn changed(&mut self, memory: &Memory, delta: &RunDelta) {
        let run = delta.run;
        if let Some(new) = &delta.create {
            if self.runs.contains_key(&run) {
                return self.object(10, || format!("run {run} was created twice"));
            }
            self.check_told(run, new);
            self.check_child_created(memory, run, delta);
            self.check_retry(run, delta);
            let Some(workflow) = workflow_of(memory, &new.definition, run) else {
                return self.object(9, || format!("run {run} has no definition: {}", new.definition));
            };
            let steps = vec![Step::default(); workflow.steps.len()];
            let state = RunState::Waiting;
            let past = Past { spec: new.definition.clone(), ..Past::default() };
            let (stopping, hooks, paused, items) = (false, false, None, BTreeMap::new());
            let book = Book { workflow, state, stopping, hooks, paused, advance: 0, steps, items, past };
            self.runs.insert(run, book);
        }
        let Some(mut book) = self.runs.remove(&run) else { return };
        self.check(&mut book, delta);
        self.runs.insert(run, book);
    }

    fn check(&mut self, book: &mut Book, delta: &RunDelta) {
        let run = delta.run;
        let (ended_before, stopping_before, hooks_before) = (book.has_ended(), book.stopping, book.hooks);
        let held = self.is_held(book, delta);
        let mut advances = Vec::new();
        if let Some(head) = &delta.head {
            match serde_json::from_str::<Head>(head) {
                Ok(head) => {
                    if ended_before && head.state != book.state {
                        let was = book.state;
                        self.object(3, || {
                            format!("run {run} had ended as {was:?} and is {:?} now", head.state)
                        });
                    }
                    match ended_before {
                        true => self.check_ended_head(book, run, &head),
                        false => advances.push(head.advance),
                    }
                    self.note_retries(run, &head);
                    book.state = head.state;
                    self.note_slot(run, &head);
                    book.stopping = head.is_stopping();
                    book.hooks |= head.hooks_since.is_some();
                    self.note_pause(book, &head);
                    let hands_on = book.workflow.outputs.is_some() && head.state == RunState::Succeeded;
                    if book.has_ended() && head.outputs.is_some() != hands_on {
                        let (state, outputs) = (head.state, &head.outputs);
                        self.object(3, || {
                            format!("run {run} has ended as {state:?}, and hands on {outputs:?}")
                        });
                    }
                }
                Err(error) => self.object(3, || format!("the head of run {run} cannot be read: {error}")),
            }
        }
        for &(unit, attempt) in &delta.retired {
            if book.is_current(TaskId { run, unit, attempt }) {
                book.unit_mut(unit).current = false;
                self.claims.remove(&TaskId { run, unit, attempt });
            }
        }
        self.note_answers(book, delta);
        for (unit, record) in delta.ended_items.iter().chain(&delta.steps) {
            advances.extend(self.check_unit(book, run, *unit, record));
        }
        if let Some(old) = advances.iter().find(|advance| **advance <= book.advance) {
            let last = book.advance;
            self.object(3, || {
                format!("run {run} was changed by its advance {old}, after its advance {last}")
            });
        }
        let last = book.advance;
        book.advance = advances.into_iter().chain([last]).max().unwrap_or_default();
        self.check_history(book, delta, last);
        for dispatched in &delta.dispatched {
            // The hooks of a run have their turn after its steps were stopped.
            let is_hook = book.workflow.steps[dispatched.unit.step.at()].is_run_hook();
            if ended_before || (stopping_before && (hooks_before || !is_hook)) {
                let state = book.state;
                self.object(7, || {
                    format!("{dispatched:?} of run {run}, which is {state:?} or being stopped")
                });
            }
            if held {
                self.object(7, || format!("{dispatched:?} of run {run}, which is paused"));
            }
            self.check_dispatch(book, run, dispatched);
        }
        self.check_holds(run);
        if book.has_ended() {
            let steps = (0..book.steps.len()).map(|step| Unit::from(StepIndex::from(step)));
            let all: Vec<(Unit, Step)> = steps
                .chain(book.items.keys().copied())
                .filter_map(|unit| Some((unit, book.unit(unit)?)))
                .filter(|(_, known)| known.ended.is_none() || known.current)
                .collect();
            if let Some((unit, open)) = all.first() {
                self.object(3, || format!("run {run} ended, but its step {unit} did not: {open:?}"));
            }
            if let Some(step) = book.wrongly_skipped() {
                self.object(4, || format!("step {} of run {run} was skipped, and its rule holds", step.0));
            }
        }
    }

    /// Checks the record of a unit, and answers the number of the advance that has written it. The record of an item that
    /// has ended is its end.
    fn check_unit(&mut self, book: &mut Book, run: RunId, unit: Unit, record: &str) -> Option<u64> {
        let text = record;
        let end = unit.item.and_then(|_| serde_json::from_str(record).ok());
        let read = end.map(StepRecord::Ended).or_else(|| serde_json::from_str::<StepRecord>(record).ok());
        let Some(record) = read else {
            self.object(3, || format!("the record of step {unit} of run {run} cannot be read"));
            return None;
        };
        let Some(mut known) = book.unit(unit) else {
            self.object(9, || format!("run {run} has no step {unit} in its version"));
            return None;
        };
        self.check_items(book, run, unit, &record);
        let is_carried = matches!(&record, StepRecord::Ended(end) if end.carried.is_some());
        if !is_carried {
            self.check_answers(book, run, unit, &record);
        }
        self.note_hold(run, unit, text, &record);
        let (attempts, ended, after_failure, advance) = match &record {
            StepRecord::Dispatched(attempts)
            | StepRecord::Locking { attempts, .. }
            | StepRecord::Backoff { attempts, .. } => (*attempts, None, false, attempts.advance),
            StepRecord::Asking { end, .. } => (end.attempts, None, false, end.advance),
            StepRecord::Child { attempts, .. } => {
                self.check_child_begun(book, run, unit, attempts);
                (*attempts, None, false, attempts.advance)
            }
            StepRecord::Fanned(fanned) => (Attempts::default(), None, false, fanned.advance),
            StepRecord::Ended(end) => (end.attempts, Some(end.outcome), end.after_failure, end.advance),
        };
        if let StepRecord::Child { .. } = record {
            (known.attempt, known.dispatched_at) = (attempts.attempt, attempts.dispatched_at);
        }
        // A wait notes there when it began.
        let is_attempt = attempts.attempt > 0;
        if is_attempt && attempts.attempt == known.attempt && attempts.dispatched_at != known.dispatched_at {
            self.object(3, || {
                format!(
                    "step {unit} of run {run} has forgotten when it was dispatched: {known:?} to {attempts:?}"
                )
            });
        }
        if known.ended.is_some() && known.ended != ended {
            self.object(3, || format!("step {unit} of run {run} had ended as {:?}: {record:?}", known.ended));
        }
        // From a repetition on, retries and losses are counted anew.
        let is_repeated = attempts.repeats > known.repeats;
        let goes_back = attempts.retries < known.retries || attempts.lost < known.lost;
        if (goes_back && !is_repeated) || attempts.attempt < known.attempt {
            self.object(3, || format!("step {unit} of run {run} went back from {known:?} to {attempts:?}"));
        }
        let definition = &book.workflow.steps[unit.step.at()];
        let limit = definition.lost_limit() + u32::from(ended.is_some());
        if attempts.retries > definition.retry.limit || attempts.lost > limit {
            self.object(3, || format!("step {unit} of run {run} is past its limits: {attempts:?}"));
        }
        match &record {
            StepRecord::Ended(end) if is_carried => self.check_carried(run, unit, end),
            StepRecord::Ended(end) => self.check_child_ended(book, run, unit, end),
            _ => {}
        }
        let slot = book.unit_mut(unit);
        (slot.attempt, slot.dispatched_at) = (known.attempt, known.dispatched_at);
        (slot.retries, slot.lost, slot.ended) = (attempts.retries, attempts.lost, ended);
        slot.repeats = attempts.repeats;
        slot.after_failure = after_failure;
        slot.by_somebody = matches!(&record, StepRecord::Ended(end) if end.by.is_some());
        Some(advance)
    }

    /// Checks what a step says of its items against what was heard of each of them.
    fn check_items(&mut self, book: &Book, run: RunId, unit: Unit, record: &StepRecord) {
        let (counts, has_ended) = match record {
            StepRecord::Fanned(fanned) if unit.item.is_none() => (fanned.counts, false),
            StepRecord::Ended(end) => match &end.items {
                Some(counts) => (**counts, true),
                None => return,
            },
            _ => return,
        };
        let ended = book.items_of(unit.step).filter(|item| item.ended.is_some()).count();
        let succeeded =
            book.items_of(unit.step).filter(|item| item.ended == Some(Outcome::Succeeded)).count();
        if (counts.ended(), counts.succeeded) != (ended as u32, succeeded as u32) {
            self.object(3, || {
                format!(
                    "step {unit} of run {run} counts {counts:?}; {ended} items have ended, {succeeded} well"
                )
            });
        }
        if has_ended && counts.ended() != counts.begun {
            self.object(3, || {
                format!("step {unit} of run {run} ended, and not all of its items: {counts:?}")
            });
        }
    }

    fn check_dispatch(&mut self, book: &mut Book, run: RunId, dispatched: &Dispatched) {
        let Dispatched { unit, attempt, at, .. } = *dispatched;
        let step = unit.step;
        let Some(known) = book.unit(unit) else {
            return self.object(9, || format!("run {run} has no step {unit} in its version"));
        };
        let step_has_ended = book.steps[step.at()].ended.is_some();
        if unit.item.is_some() && (step_has_ended || book.workflow.steps[step.at()].fan.is_none()) {
            self.object(4, || format!("{dispatched:?} of run {run}, whose step has ended, or has no items"));
        }
        if book.workflow.steps[step.at()].is_run_hook() && !book.hooks {
            self.object(4, || format!("{dispatched:?} of run {run}, whose steps have not all ended"));
        }
        if known.current {
            self.object(5, || format!("{dispatched:?} of run {run} while {known:?} is current"));
        }
        let leaves_out = may_leave_out(&book.workflow.steps[step.at()]);
        if attempt <= known.attempt || (attempt > known.attempt + 1 && !leaves_out) {
            self.object(3, || format!("{dispatched:?} of run {run} does not follow {known:?}"));
        }
        if known.ended.is_some() {
            self.object(3, || format!("{dispatched:?} of run {run} although the step ended: {known:?}"));
        }
        if book.readiness(step) != Readiness::Starts {
            self.object(4, || format!("{dispatched:?} of run {run} although its rule does not hold"));
        }
        let needs_locks = !book.workflow.steps[step.at()].locks.is_empty();
        if needs_locks && !self.holds.contains_key(&Holder::of_unit(run, unit, Need::Locks)) {
            self.object(6, || format!("{dispatched:?} of run {run} without the locks that it needs"));
        }
        if book.workflow.concurrency.is_some() && !self.slots.contains(&run) {
            self.object(6, || format!("{dispatched:?} of run {run} without a slot of its workflow"));
        }
        let unit = book.unit_mut(unit);
        (unit.attempt, unit.current, unit.dispatched_at) = (attempt, true, at);
    }
}

/// Finds the workflow of a run, by its definition as stored.
fn workflow_of(memory: &Memory, definition: &str, run: RunId) -> Option<Arc<Workflow>> {
    let spec: Spec = serde_json::from_str(definition).ok()?;
    match &spec.source {
        Source::Adhoc(submission) => submission.to_workflow().ok().map(Arc::new),
        Source::Inline(source) => parsed(source),
        Source::Stored { workflow, version } => {
            let partitions = memory.founded()?;
            let home = PartitionId::home_of(workflow, partitions);
            debug_assert!(run.partition().0 < partitions);
            parsed(&memory.catalog(home)?.load(workflow, Some(*version))?.source)
        }
    }
}

fn parsed(source: &str) -> Option<Arc<Workflow>> {
    Some(Arc::new(definition::parse(source, "stored definition").ok()?.pop()?.workflow))
}
