//! Rates: in no stretch of time as long as its period do tasks use more of one than there is, and whoever starts has a reserve.

use std::time::Duration;

use millrace_domain::lock::{Entry, Holder, Need};
use millrace_domain::task::TaskResult;
use millrace_domain::{TaskId, Timestamp};

use serde_json::Value;

use super::Auditor;
use super::locks::LOCKS;

/// The most that an owner's idea of the store's clock may be off, which is why uses may lie closer together by so much.
const TOLERANCE: Duration = Duration::from_secs(2);

impl Auditor {
    /// Notes that a task has started whose step has a rate: it uses its reserve from then on.
    pub(super) fn note_use(&mut self, task: TaskId, now: Timestamp) {
        let Some(book) = self.runs.get(&task.run) else { return };
        if book.workflow.step(task.unit.step).is_none_or(|step| step.rate.is_none()) {
            return;
        }
        let key = Holder::of_unit(task.run, task.unit, Need::Rate).to_string();
        let row = self.rows.iter().find(|((_, table, row), _)| *table == LOCKS && *row == key);
        let entry = row.and_then(|(_, row)| serde_json::from_str::<Entry>(row).ok());
        let entry = entry.filter(|entry| entry.ask.asker.attempt == task.attempt);
        let Some((grant, want)) = entry.and_then(|entry| Some((entry.grant?, entry.ask.wants[0].clone())))
        else {
            return self.object(6, || format!("{task} starts without a reserve of its rate"));
        };
        self.reserves += 1;
        let uses = self.uses.entry(want.lock.clone()).or_default();
        uses.push((now, task, want.weight));
        // Where a clock was set, a period is not what it seems to be.
        if self.clock_was_set {
            return;
        }
        let since = now - want.per().saturating_sub(TOLERANCE);
        let used: u32 = uses.iter().filter(|(at, ..)| *at > since).map(|(.., cost)| cost).sum();
        if used > want.slots {
            let uses = uses.clone();
            self.object(6, || format!("{used} of {} in {:?}: {uses:?} {grant:?}", want.lock, want.per()));
        }
    }

    /// Notes what an attempt has used of its reserve, where its result says so.
    pub(super) fn note_spared(&mut self, task: TaskId, result: &str) {
        let Ok(result) = serde_json::from_str::<TaskResult>(result) else { return };
        let Some(cost) = result.outputs.get("cost").and_then(Value::as_u64) else { return };
        let all = self.uses.values_mut().flatten();
        all.filter(|(_, of, _)| *of == task).for_each(|(.., used)| *used = cost as u32);
    }
}
