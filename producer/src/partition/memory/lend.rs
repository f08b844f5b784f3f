//! Outputs that runs do not keep in memory: those of the items of their steps. They are read for the batch that needs them.

use millrace_domain::run::Event;
use millrace_domain::{Outcome, RunId, StepIndex, TaskId};
use millrace_store::StoreError;
use serde::Deserialize;
use serde_json::Value;

use super::Memory;
use crate::context::Context;

/// The items that are read at once.
const AT_ONCE: u32 = 1_000;

/// The part of an item's end that says what it gave.
#[derive(Deserialize)]
struct End {
    outcome: Outcome,
    #[serde(default)]
    outputs: Value,
}

impl Memory {
    /// Lends runs what these events of theirs need. Answers the runs; `None`, with nothing lent, when the store
    /// does not answer.
    pub(crate) async fn lend<'e>(
        &mut self,
        context: &Context,
        events: impl Iterator<Item = (RunId, &'e Event)>,
    ) -> Option<Vec<RunId>> {
        let mut lent = Vec::new();
        for (id, event) in events {
            let wanted = self.runs.peek(id).map(|run| run.wants_lent(event)).unwrap_or_default();
            if self.lend_to(context, id, wanted, &mut lent).await.is_none() {
                self.take_back(lent);
                return None;
            }
        }
        Some(lent)
    }

    /// Lends runs what these tasks of theirs need, as [`lend`](Self::lend) does.
    pub(crate) async fn lend_for_tasks(
        &mut self,
        context: &Context,
        tasks: impl Iterator<Item = TaskId>,
    ) -> Option<Vec<RunId>> {
        let mut lent = Vec::new();
        for TaskId { run: id, unit, .. } in tasks {
            let wanted = self.runs.peek(id).map(|run| run.wants_lent_for(unit)).unwrap_or_default();
            if self.lend_to(context, id, wanted, &mut lent).await.is_none() {
                self.take_back(lent);
                return None;
            }
        }
        Some(lent)
    }

    async fn lend_to(
        &mut self,
        context: &Context,
        id: RunId,
        wanted: Vec<StepIndex>,
        lent: &mut Vec<RunId>,
    ) -> Option<()> {
        for step in wanted {
            let Some(run) = self.runs.get(id) else { continue };
            let outputs = match self.lent.find(id, step) {
                Some(outputs) => outputs,
                None => match read(context, id, step, run.items_of(step)).await {
                    Ok(outputs) => self.lent.keep(id, step, outputs),
                    Err(error) => {
                        tracing::warn!(run = %id, %error, "the outputs of its items cannot be read");
                        return None;
                    }
                },
            };
            run.lend(step, outputs);
            lent.push(id);
        }
        Some(())
    }

    /// Takes back what was lent.
    pub(crate) fn take_back(&mut self, lent: Vec<RunId>) {
        for id in lent {
            if let Some(run) = self.runs.get(id) {
                run.take_back_lent();
            }
        }
    }
}

/// Reads what the items of a step gave, in order: null for one that did not succeed.
async fn read(context: &Context, run: RunId, step: StepIndex, total: u32) -> Result<Value, StoreError> {
    let mut outputs = Vec::with_capacity(total as usize);
    let mut from = 0;
    while from < total {
        let to = total.min(from + AT_ONCE);
        for end in context.store.items(run, step, from..to).await? {
            let end = end.and_then(|end| serde_json::from_str::<End>(&end).ok());
            outputs.push(match end {
                Some(End { outcome: Outcome::Succeeded, outputs: Value::Null }) => {
                    Value::Object(serde_json::Map::new())
                }
                Some(End { outcome: Outcome::Succeeded, outputs }) => outputs,
                _ => Value::Null,
            });
        }
        from = to;
    }
    Ok(Value::Array(outputs))
}
