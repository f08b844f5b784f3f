//! What continuations carry over of what runs keep apart: the outputs of items, and large ones. It is read before they are created.

use std::collections::BTreeMap;

use millrace_domain::run::{Apart, Ended, Run};
use millrace_domain::{RunId, StepIndex, Timestamp, Unit};
use millrace_store::{Store, StoreError};

use super::Memory;
use crate::context::Context;

/// The items that are read at once.
const AT_ONCE: u32 = 1_000;

/// What a step keeps apart, as its continuation will have it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Kept {
    /// The list over which it has fanned out, or its large outputs (JSON). None where they are not stored (any more).
    pub(crate) apart: Option<String>,
    /// The ends of its items (JSON).
    pub(crate) items: Vec<(Unit, String)>,
    /// Whether all is here that it should have.
    pub(crate) is_whole: bool,
}

/// What runs keep apart that are to be continued.
pub(crate) type Carried = BTreeMap<(RunId, StepIndex), Kept>;

impl Memory {
    /// Reads what runs keep apart of what their continuations carry over. `None` when the store does not answer.
    pub(super) async fn read_carried(&self, context: &Context, ids: &[RunId]) -> Option<Carried> {
        let mut carried = Carried::new();
        for id in ids {
            let Some(run) = self.runs.peek(*id).filter(|run| run.can_be_continued().is_ok()) else {
                continue;
            };
            let last = run.continued_last().and_then(|last| self.runs.peek(last));
            // There is to be no other beside that.
            if last.is_some_and(|last| !last.head.state.is_terminal()) {
                continue;
            }
            for (step, _) in run.carried_over(Timestamp::default()) {
                let Some(apart) = run.apart(step) else { continue };
                match read(&*context.store, run, step, apart).await {
                    Ok(kept) => drop(carried.insert((*id, step), kept)),
                    Err(error) => {
                        tracing::warn!(run = %id, %error, "what it keeps apart cannot be read");
                        return None;
                    }
                }
            }
        }
        Some(carried)
    }
}

async fn read(store: &dyn Store, run: &Run, step: StepIndex, apart: Apart) -> Result<Kept, StoreError> {
    let value = store.apart(run.id, step).await?;
    let total = match apart {
        Apart::Outputs => return Ok(Kept { is_whole: value.is_some(), apart: value, items: Vec::new() }),
        Apart::Items(total) => total,
    };
    let (mut items, mut from) = (Vec::with_capacity(total as usize), 0);
    while from < total {
        let to = total.min(from + AT_ONCE);
        for (item, end) in (from..to).zip(store.items(run.id, step, from..to).await?) {
            let end = end.and_then(|end| serde_json::from_str::<Ended>(&end).ok());
            let end = end.and_then(|end| serde_json::to_string(&end.as_carried(run.id)).ok());
            items.extend(end.map(|end| (Unit { step, item: Some(item) }, end)));
        }
        from = to;
    }
    let is_whole = items.len() == total as usize && (value.is_some() || total == 0);
    Ok(Kept { apart: value, items, is_whole })
}
