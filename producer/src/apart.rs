//! What steps keep apart from their runs: the outputs of their items, and large ones.

use millrace_domain::run::Apart;
use millrace_domain::{Outcome, RunId, StepIndex};
use millrace_store::{Store, StoreError};
use serde::Deserialize;
use serde_json::Value;

/// The items that are read at once.
const AT_ONCE: u32 = 1_000;

/// The part of an item's end that says what it gave.
#[derive(Deserialize)]
struct End {
    outcome: Outcome,
    #[serde(default)]
    outputs: Value,
}

/// Reads what a step gave: its outputs, or those of its items.
pub(crate) async fn read(
    store: &dyn Store,
    run: RunId,
    step: StepIndex,
    apart: Option<Apart>,
) -> Result<Value, StoreError> {
    match apart {
        Some(Apart::Items(total)) => of_items(store, run, step, total).await,
        Some(Apart::Outputs) | None => {
            let outputs = store.apart(run, step).await?;
            // Without them, what uses them fails and says which is missing. Trying again would not help.
            let outputs = outputs.and_then(|outputs| serde_json::from_str(&outputs).ok());
            Ok(Value::Object(outputs.unwrap_or_default()))
        }
    }
}

/// Reads what the items of a step gave, in order: null for one that did not succeed.
async fn of_items(store: &dyn Store, run: RunId, step: StepIndex, total: u32) -> Result<Value, StoreError> {
    let mut outputs = Vec::with_capacity(total as usize);
    let mut from = 0;
    while from < total {
        let to = total.min(from + AT_ONCE);
        for end in store.items(run, step, from..to).await? {
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
