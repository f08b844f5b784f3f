//! A command's turn: what it may look at and change while it is carried out.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::Workflow;
use millrace_domain::run::history::advance_noting;
use millrace_domain::run::{Advanced, Ended, Event, Head, Spec, create_continuation};
use millrace_domain::{PartitionId, RunId, StepIndex, Timestamp};
use millrace_store::NewRun;

use super::dispatch::Dispatcher;
use super::draft::Draft;
use super::memory::Memory;
use super::memory::load::Loaded;
use crate::context::{Context, Rehearsed};

/// The turn of a command: all that it is given, and all that it may change.
pub(crate) struct Turn<'t> {
    /// The context, which every part of a producer shares.
    pub(crate) context: &'t Context,
    /// The memory of the owned partitions.
    pub(crate) memory: &'t mut Memory,
    /// The dispatcher, which learns from results.
    pub(crate) dispatcher: &'t mut Dispatcher,
    /// The partition that the command belongs to.
    pub(crate) partition: PartitionId,
    /// The next commit of that partition.
    pub(crate) draft: &'t mut Draft,
    /// The stored workflows that the batch starts runs of.
    pub(crate) loaded: &'t Loaded,
    /// The time of the batch, by the store's clock.
    pub(crate) now: Timestamp,
}

/// A run that is to be created, whatever asked for it.
pub(crate) struct Wanted {
    pub(crate) id: RunId,
    pub(crate) keyed: bool,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) spec: Spec,
    pub(crate) head: Head,
    /// The steps that have ended before it begins, in the run of which it is a continuation.
    pub(crate) carried: Vec<(StepIndex, Ended)>,
    /// Why it is stopped before it begins: whoever asked for it does not want it any more.
    pub(crate) stopped: Option<String>,
}

impl Turn<'_> {
    /// Creates a run, in the draft and in memory.
    pub(crate) fn create(&mut self, wanted: Wanted) {
        let Wanted { id, keyed, workflow, spec, mut head, carried, stopped } = wanted;
        if stopped.is_some() {
            // It waits for a moment that does not come.
            head.start_at = Some(self.now + Duration::from_millis(1));
        }
        let definition = serde_json::to_string(&spec).unwrap_or_default();
        let text = definition.len();
        let rehearsal = self.context.options.rehearsal;
        let rehearsed = rehearsal.map(|rehearse| rehearse(id, &head.labels, self.context.partitions));
        let new = NewRun { created_at: self.now, workflow: head.workflow.clone(), keyed, definition };
        let (mut run, mut advanced) =
            create_continuation(id, workflow, Arc::new(spec), head, carried, self.now);
        self.draft.create(id, new);
        let stop = stopped.map(|reason| Event::Cancel { reason });
        let stop = stop.and_then(|event| advance_noting(&mut run, &event, self.now).ok());
        if stop.is_some() {
            advanced.actions.clear();
        }
        self.take(id, advanced);
        if let Some((advanced, entry)) = stop {
            self.take(id, advanced);
            entry.iter().for_each(|entry| self.draft.note(id, entry));
        }
        self.memory.runs.insert(run, text);
        if let Some(Rehearsed { letters, rows }) = rehearsed {
            letters.iter().for_each(|(to, body)| self.draft.send(Some(id), *to, body, self.now));
            rows.into_iter().for_each(|row| self.draft.change_row(Some(id), row));
        }
    }

    /// Takes over what an advance changed and wants done.
    pub(crate) fn take(&mut self, run: RunId, advanced: Advanced) {
        let keeping = (self.context.options.retention, self.context.partitions);
        self.draft.take(run, advanced, self.now, keeping);
    }

    /// Holds a fire back until there is room in the store. The fire is not missed by that, however long it takes.
    pub(crate) fn hold_fire(&mut self, fire: super::fired::Fire) {
        self.memory.hold_fire(fire.clone());
        self.draft.then.held.push(fire);
    }
}
