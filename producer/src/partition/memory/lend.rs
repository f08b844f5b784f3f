//! Outputs that runs do not keep in memory: those of the items of their steps, and large ones. They are read for the batch
//! that needs them.

use millrace_domain::run::Event;
use millrace_domain::{RunId, StepIndex, TaskId};

use super::Memory;
use crate::apart;
use crate::context::Context;

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
                None => match apart::read(&*context.store, id, step, run.apart(step)).await {
                    Ok(outputs) => self.lent.keep(id, step, outputs),
                    Err(error) => {
                        tracing::warn!(run = %id, %error, "outputs that are kept apart from it cannot be read");
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
