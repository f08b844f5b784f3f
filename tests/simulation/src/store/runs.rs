//! The calls about runs: what a commit changes in them, what lists and shows them, and when they are forgotten.

use std::collections::BTreeMap;
use std::ops::Range;

use millrace_domain::{PartitionId, RunId, StepIndex, TaskId, Timestamp, Unit};
use millrace_store::{LogChunk, RunDelta, RunQuery, RunSummary, StoredRun, Timer};

use super::memory::Memory;
use super::run::{Attempt, Run, State};

/// The most runs that one call forgets.
const BATCH: usize = 256;

/// The time for which a keyed run is the record of deduplication for its key, from its creation on.
const KEYED_MS: u64 = 24 * 3_600_000;

impl Memory {
    /// Applies what a commit changes in a run. `false` when the run exists and was to be created, so that nothing was
    /// applied.
    pub(super) fn apply(&mut self, partition: PartitionId, delta: &RunDelta) -> bool {
        let run = delta.run;
        if let Some(new) = &delta.create {
            if self.guards.dedup && self.runs.contains_key(&run) {
                return false;
            }
            let created = Run {
                new: new.clone(),
                head: String::new(),
                expires_at: None,
                steps: BTreeMap::new(),
                items: BTreeMap::new(),
                apart: BTreeMap::new(),
                history: BTreeMap::new(),
                attempts: BTreeMap::new(),
                logs: BTreeMap::new(),
            };
            self.runs.insert(run, created);
        }
        let Some(stored) = self.runs.get_mut(&run) else { return true };
        if let Some(head) = &delta.head {
            stored.head.clone_from(head);
        }
        stored.expires_at = delta.expires_at.or(stored.expires_at);
        for (step, record) in &delta.steps {
            stored.steps.insert(*step, record.clone());
        }
        for (unit, end) in &delta.ended_items {
            stored.steps.remove(unit);
            stored.items.insert(*unit, end.clone());
        }
        stored.apart.extend(delta.apart.iter().cloned());
        stored.history.extend(delta.history.iter().cloned());
        for &(unit, attempt) in &delta.retired {
            self.retire(TaskId { run, unit, attempt });
        }
        for one in &delta.dispatched {
            let task = TaskId { run, unit: one.unit, attempt: one.attempt };
            let attempt = Attempt {
                number: one.attempt,
                dispatched_at: one.at,
                look_at: one.look_at,
                lane: one.lane.clone(),
                state: State::Queued,
            };
            let Some(stored) = self.runs.get_mut(&run) else { break };
            let before = stored.attempts.insert(one.unit, attempt);
            let watched = self.guards.outbox;
            let watch = &mut self.partition(partition).watch;
            if let Some(before) = before {
                watch.remove(&(before.look_at, TaskId { attempt: before.number, ..task }));
            }
            if watched {
                watch.insert((one.look_at, task));
            }
        }
        self.partition(partition).change_timers(&delta.timers, &delta.cleared);
        true
    }

    fn retire(&mut self, task: TaskId) {
        if let Some(attempt) = self.attempt(task) {
            let look_at = attempt.look_at;
            self.partition(task.run.partition()).watch.remove(&(look_at, task));
            if let Some(run) = self.runs.get_mut(&task.run) {
                run.attempts.remove(&task.unit);
            }
        }
    }

    /// The current attempt of a step, when it is this one.
    pub(super) fn attempt(&self, task: TaskId) -> Option<&Attempt> {
        self.runs.get(&task.run)?.attempts.get(&task.unit).filter(|attempt| attempt.number == task.attempt)
    }

    pub(super) fn attempt_mut(&mut self, task: TaskId) -> Option<&mut Attempt> {
        let attempts = &mut self.runs.get_mut(&task.run)?.attempts;
        attempts.get_mut(&task.unit).filter(|attempt| attempt.number == task.attempt)
    }

    /// Sets when to look at an attempt next.
    pub(super) fn look(&mut self, task: TaskId, at: Timestamp) {
        let Some(attempt) = self.attempt_mut(task) else { return };
        let before = std::mem::replace(&mut attempt.look_at, at);
        let watched = self.guards.outbox;
        let watch = &mut self.partition(task.run.partition()).watch;
        watch.remove(&(before, task));
        if watched {
            watch.insert((at, task));
        }
    }

    pub(crate) fn load_run(&self, run: RunId) -> Option<StoredRun> {
        self.runs.get(&run).map(|run| StoredRun {
            head: run.head.clone(),
            definition: run.new.definition.clone(),
            steps: run.steps.iter().map(|(unit, record)| (*unit, record.clone())).collect(),
            tasks: run
                .attempts
                .iter()
                .map(|(step, attempt)| (*step, attempt.number, attempt.record()))
                .collect(),
            unknown: Vec::new(),
        })
    }

    pub(crate) fn items(&self, run: RunId, step: StepIndex, items: Range<u32>) -> Vec<Option<String>> {
        let end = |item| self.runs.get(&run)?.items.get(&Unit { step, item: Some(item) }).cloned();
        items.map(end).collect()
    }

    pub(crate) fn apart(&self, run: RunId, step: StepIndex) -> Option<String> {
        self.runs.get(&run)?.apart.get(&step).cloned()
    }

    pub(crate) fn history(&self, run: RunId, after: u64, limit: usize) -> Vec<(u64, String)> {
        let Some(run) = self.runs.get(&run) else { return Vec::new() };
        let later = run.history.iter().filter(|(n, _)| **n > after);
        later.take(limit).map(|(n, entry)| (*n, entry.clone())).collect()
    }

    pub(crate) fn list_runs(&self, query: &RunQuery) -> Vec<RunSummary> {
        let mut runs: Vec<_> = self
            .runs
            .iter()
            .filter(|(_, run)| query.workflow.as_ref().is_none_or(|name| run.new.workflow == *name))
            .map(|(id, run)| ((run.new.created_at, *id), run))
            .filter(|(key, _)| query.after.is_none_or(|after| *key < after))
            .collect();
        runs.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        let summary = |((created_at, run), stored): ((Timestamp, RunId), &Run)| RunSummary {
            run,
            created_at,
            workflow: stored.new.workflow.clone(),
            head: stored.head.clone(),
        };
        runs.into_iter().take(query.limit).map(summary).collect()
    }

    pub(crate) fn expire(
        &mut self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
        now: Timestamp,
    ) -> usize {
        let here = self.runs.iter().filter(|(id, _)| id.partition() == partition);
        let mut ended: Vec<_> = here.filter_map(|(id, run)| Some((run.expires_at?, *id))).collect();
        ended.sort();
        let old = ended.iter().filter(|(at, _)| *at <= until).count();
        let over = old.max(ended.len().saturating_sub(keep));
        let young = Timestamp::from_millis(now.as_millis().saturating_sub_unsigned(KEYED_MS));
        let forgotten: Vec<RunId> = ended
            .into_iter()
            .take(over)
            .map(|(_, id)| id)
            .filter(|id| self.runs.get(id).is_some_and(|run| !run.new.keyed || run.new.created_at <= young))
            .take(BATCH)
            .collect();
        for id in &forgotten {
            self.runs.remove(id);
            let partition = self.partition(partition);
            partition.watch.retain(|(_, task)| task.run != *id);
            partition.timers.retain(|timer: &Timer, _| timer.run() != Some(*id));
        }
        forgotten.len()
    }

    pub(crate) fn append_log(&mut self, task: TaskId, lines: &[LogChunk], budget_bytes: u64) {
        let Some(run) = self.runs.get_mut(&task.run) else { return };
        let log = run.logs.entry((task.unit, task.attempt)).or_default();
        for chunk in lines {
            log.bytes = log.bytes.saturating_add(chunk.text.len() as u64);
            if log.bytes <= budget_bytes {
                log.chunks.push(chunk.clone());
            }
        }
    }

    pub(crate) fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Vec<LogChunk> {
        let log = self.runs.get(&task.run).and_then(|run| run.logs.get(&(task.unit, task.attempt)));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        log.map(|log| log.chunks.iter().skip(from).take(limit).cloned().collect()).unwrap_or_default()
    }
}
