//! How a run asks for a slot of its workflow, where that allows only so many runs at a time.

use super::dispatch::slot_key;
use super::slot::at_a_time;
use super::{Run, Slot};
use crate::lock::{Ask, Asker, Holder, LockName, Want};
use crate::{IdError, Timestamp};

impl Run {
    /// The slot that the run waits for.
    pub fn awaited_slot(&self) -> Option<&Slot> {
        self.head.slot.as_deref().filter(|slot| slot.granted_at.is_none() && !self.head.state.is_terminal())
    }

    /// Whether the run has its slot, and has not started.
    pub(super) fn has_slot(&self) -> bool {
        self.head.slot.as_deref().is_some_and(|slot| slot.granted_at.is_some())
    }

    /// The slot that the run wants now, by the expression of its key; `None` where any number of runs may be under way.
    ///
    /// # Errors
    /// A text that says why the key cannot be told.
    pub(super) fn wanted_slot(&self, now: Timestamp) -> Result<Option<Slot>, String> {
        let Some(concurrency) = &self.workflow.concurrency else { return Ok(None) };
        let key = concurrency.key.as_ref().map(|key| slot_key(self, key)).transpose()?;
        let name = LockName::of_slots(&self.head.workflow, key.as_deref());
        let name = name.map_err(|IdError(why)| format!("`concurrency.key`: {why}"))?;
        Ok(Some(Slot { name, since: now, granted_at: None }))
    }

    /// The ask for a slot; `None` where the workflow has no limit.
    pub(super) fn slot_ask(&self, slot: &Slot) -> Option<Ask> {
        let concurrency = self.workflow.concurrency.as_ref()?;
        let want = Want { slots: concurrency.limit, ..Want::exclusive(slot.name.clone()) };
        Some(Ask {
            asker: Asker::of_run(self.id),
            wants: Box::new([want]),
            priority: self.priority(),
            since: slot.since,
            workflow: self.head.workflow.clone(),
            version: self.head.version,
            step: None,
            above: self.waiting_above().map(|above| Holder::of_run(above.run)).collect(),
            at_limit: Some(concurrency.at_limit),
        })
    }

    /// What the run waits for, in words.
    pub(super) fn slot_words(&self, slot: &Slot) -> String {
        let limit = self.workflow.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
        format!("waits for its turn: {}", at_a_time(&slot.name, limit))
    }
}
