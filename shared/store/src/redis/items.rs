//! What is kept apart from a run: the ends of the items of its steps, lists, large outputs. Commits write it.

use std::ops::Range;

use millrace_domain::{RunId, StepIndex, Unit};
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text};
use crate::StoreError;

/// The greatest number of items that are read by one command.
const BATCH: u32 = 1_000;

/// Reads the ends of items; `None` for those that have not ended.
pub(super) async fn items(
    connection: &Connection,
    keys: &Keys,
    run: RunId,
    step: StepIndex,
    items: Range<u32>,
) -> Result<Vec<Option<String>>, StoreError> {
    let mut ends = Vec::with_capacity(items.len());
    let mut from = items.start;
    while from < items.end {
        let to = items.end.min(from + BATCH);
        let mut command = cmd("HMGET");
        command.arg(keys.items(run));
        for item in from..to {
            command.arg(Unit { step, item: Some(item) }.to_string());
        }
        for end in array(connection.ask(command).await?)? {
            ends.push(maybe_text(end)?);
        }
        from = to;
    }
    Ok(ends)
}

/// Reads what a step keeps apart from its run.
pub(super) async fn apart(
    connection: &Connection,
    keys: &Keys,
    run: RunId,
    step: StepIndex,
) -> Result<Option<String>, StoreError> {
    let mut command = cmd("HGET");
    command.arg(keys.items(run)).arg(Keys::apart(step));
    maybe_text(connection.ask(command).await?)
}
