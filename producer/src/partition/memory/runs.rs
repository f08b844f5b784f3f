//! Runs in memory. Any of them can be dropped and loaded again: the store holds the truth. Two generations bound
//! the memory: what was not touched while the young one filled up is dropped.

use std::collections::HashMap;

use millrace_domain::run::large::LARGE_OUTPUT_BYTES;
use millrace_domain::run::{Run, Source, StepState};
use millrace_domain::{PartitionId, RunId};
use serde_json::{Map, Value};

/// Bytes in each generation, about.
const GENERATION: usize = 96 * 1024 * 1024;

/// What a run, a step, and a step's definition take, in bytes, about. Runs of a stored workflow share a definition.
const RUN: usize = 512;
const STEP: usize = 256;
const DEFINITION: usize = 2_048;

/// The runs in memory, as they were last committed.
#[derive(Default)]
pub(crate) struct Runs {
    young: HashMap<RunId, Kept>,
    old: HashMap<RunId, Kept>,
    young_bytes: usize,
    /// Whether there was a run whose steps fan out, or which keeps outputs apart.
    may_lend: bool,
}

/// A run, and how long the text of its spec is: params, and a definition of its own.
struct Kept {
    run: Run,
    text: usize,
}

impl Runs {
    /// Whether a run is in memory.
    pub(crate) fn has(&self, id: RunId) -> bool {
        self.young.contains_key(&id) || self.old.contains_key(&id)
    }

    /// The run, if it is here.
    pub(crate) fn get(&mut self, id: RunId) -> Option<&mut Run> {
        if let Some(Kept { run, text }) = self.old.remove(&id) {
            self.insert(run, text);
        }
        self.young.get_mut(&id).map(|kept| &mut kept.run)
    }

    /// Whether any of the runs may have outputs that are kept apart.
    pub(crate) fn may_lend(&self) -> bool {
        self.may_lend
    }

    /// A run that is here keeps outputs apart now.
    pub(crate) fn note_apart(&mut self) {
        self.may_lend = true;
    }

    /// The run, if it is here, as it is.
    pub(crate) fn peek(&self, id: RunId) -> Option<&Run> {
        self.young.get(&id).or_else(|| self.old.get(&id)).map(|kept| &kept.run)
    }

    /// Keeps a run, with a spec of so many bytes of text.
    pub(crate) fn insert(&mut self, run: Run, text: usize) {
        let id = run.id;
        self.may_lend |= run.workflow.fans_out || run.keeps_apart();
        let kept = Kept { run, text };
        self.young_bytes += kept.size();
        self.young.insert(id, kept);
    }

    /// A run that is here has been handed these outputs.
    pub(crate) fn note_outputs(&mut self, outputs: &Map<String, Value>) {
        // Large ones it does not keep.
        self.young_bytes += size_of_map(outputs).min(LARGE_OUTPUT_BYTES as usize);
    }

    /// Drops a run, and answers how it stood.
    pub(crate) fn remove(&mut self, id: RunId) -> Option<Run> {
        let old = self.old.remove(&id);
        let young = self.young.remove(&id);
        if let Some(kept) = &young {
            self.young_bytes = self.young_bytes.saturating_sub(kept.size());
        }
        young.or(old).map(|kept| kept.run)
    }

    /// Drops all runs of a partition.
    pub(crate) fn forget(&mut self, partition: PartitionId) {
        self.young.retain(|id, _| id.partition() != partition);
        self.old.retain(|id, _| id.partition() != partition);
        self.young_bytes = self.young.values().map(Kept::size).sum();
    }

    /// Drops the old generation when the young one is full. To be called between batches.
    pub(crate) fn age(&mut self) {
        if self.young_bytes >= GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

impl Kept {
    /// Bytes that it takes, about: its outputs, and what it does not share. A definition of its own is held as text and
    /// as what was made of it.
    fn size(&self) -> usize {
        let Self { run, text } = self;
        let (step, text) = match run.spec.source {
            Source::Stored { .. } => (STEP, *text),
            Source::Adhoc(_) | Source::Inline(_) => (STEP + DEFINITION, 2 * text),
        };
        let outputs = run.steps.iter().map(|state| match state {
            StepState::Ended(ended) => size_of_map(&ended.outputs),
            StepState::Fanned(fan) => {
                fan.open.len() * STEP
                    + fan.items.iter().map(|item| STEP / 4 + size_of_value(item)).sum::<usize>()
            }
            _ => 0,
        });
        RUN + text + run.steps.len() * step + outputs.sum::<usize>()
    }
}

fn size_of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| STEP + key.len() + size_of_value(value)).sum()
}

pub(super) fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| STEP / 4 + size_of_value(value)).sum(),
        Value::Object(map) => size_of_map(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_domain::definition;
    use millrace_domain::run::{Head, Spec, Trigger, create};
    use millrace_domain::{Priority, Timestamp, WorkflowId};
    use serde_json::json;
    use std::sync::Arc;
    use uuid::Uuid;

    fn run(source: Source) -> Run {
        let text = "name: w\nsteps: [{name: one, run: 'true'}, {name: two, run: 'true'}]\n";
        let workflow = Arc::new(definition::parse(text, "test").unwrap().remove(0).workflow);
        let spec = Spec {
            v: 1,
            source,
            params: definition::Params::new(),
            scheduled_at: Timestamp::default(),
            priority: Priority::default(),
            trigger: Trigger::Api,
            traceparent: None,
            base_dir: None,
        };
        let head = Head::new("w".parse().unwrap(), None, Timestamp::default());
        let id = RunId::new(Uuid::new_v4(), PartitionId(1));
        create(id, workflow, Arc::new(spec), head, Timestamp::default()).0
    }

    fn stored() -> Run {
        run(Source::Stored { workflow: WorkflowId::adhoc(), version: 1 })
    }

    #[test]
    fn what_was_not_touched_for_a_generation_is_dropped_and_what_was_stays() {
        let mut runs = Runs::default();
        let (touched, idle) = (stored(), stored());
        let (touched_id, idle_id) = (touched.id, idle.id);
        runs.insert(touched, 0);
        runs.insert(idle, 0);
        for _ in 0..2 {
            runs.young_bytes = GENERATION;
            runs.age();
            assert!(runs.get(touched_id).is_some());
        }
        assert!(!runs.has(idle_id));
    }

    #[test]
    fn a_run_with_a_definition_of_its_own_or_large_outputs_or_a_long_spec_counts_for_more() {
        let size = |run, text| Kept { run, text }.size();
        let shared = size(stored(), 0);
        assert!(size(run(Source::Inline(String::new())), 0) > 4 * shared);
        assert_eq!(size(stored(), 100_000), shared + 100_000);
        let mut runs = Runs::default();
        let text = "x".repeat(60_000);
        let outputs = json!({"text": text});
        (0..GENERATION / 60_000).for_each(|_| runs.note_outputs(outputs.as_object().unwrap()));
        runs.insert(stored(), 0);
        runs.age();
        assert!(runs.young.is_empty(), "outputs of one generation's size begin another one");
    }

    #[test]
    fn what_is_removed_leaves_its_room() {
        let mut runs = Runs::default();
        let one = stored();
        let id = one.id;
        runs.insert(one, 1_000);
        runs.remove(id);
        assert_eq!(runs.young_bytes, 0);
    }
}
