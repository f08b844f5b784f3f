//! How the units of a run ask for locks, and how it is written down what they hold.

use serde_json::{Map, Value};

use super::Run;
use super::dispatch::lock_names;
use super::hold::{HOLD, Hold};
use crate::lock::{Ask, LockName, Want, check_wants};
use crate::{TaskId, Timestamp, Unit};

impl Run {
    /// What a unit holds of locks, or has asked for.
    pub fn hold_of(&self, unit: Unit) -> Option<&Hold> {
        self.holds.get(&unit)
    }

    /// What a unit holds, as a field of its record.
    pub(super) fn hold_field(&self, unit: Unit) -> Option<Map<String, Value>> {
        let hold = serde_json::to_value(self.holds.get(&unit)?).ok()?;
        Some(Map::from_iter([(HOLD.to_owned(), hold)]))
    }

    /// What a unit wants of locks, by the expressions of its step.
    ///
    /// # Errors
    /// A text that says what cannot be asked for, and why.
    pub(super) fn lock_wants(&self, unit: Unit) -> Result<Box<[Want]>, String> {
        let names = lock_names(self, unit)?;
        let uses = &self.workflow.steps[unit.step.at()].locks;
        let want = |(name, lock): (String, &crate::definition::LockUse)| {
            let name: LockName = name.parse().map_err(|error: crate::IdError| format!("`locks`: {error}"))?;
            Ok(Want { lock: name, slots: lock.slots, weight: lock.weight, shared: lock.shared })
        };
        let wants: Box<[Want]> = names.into_iter().zip(uses).map(want).collect::<Result<_, String>>()?;
        check_wants(&wants).map_err(|why| format!("`locks`: {why}"))?;
        Ok(wants)
    }

    /// The ask of a unit for its next attempt, which it makes since an instant.
    pub(super) fn ask_of(&self, unit: Unit, attempt: u32, wants: Box<[Want]>, since: Timestamp) -> Ask {
        // Whoever has only started a run does not wait for it, nor do those above.
        let above = self.head.parent.as_ref().map(|parent| parent.ancestors.as_slice()).unwrap_or_default();
        let from = above.iter().rposition(|above| !above.waits).map_or(0, |last| last + 1);
        let above = &above[from..];
        Ask {
            task: TaskId { run: self.id, unit, attempt },
            wants,
            priority: self.spec.priority,
            since,
            workflow: self.head.workflow.clone(),
            version: self.head.version,
            step: self.workflow.steps[unit.step.at()].name.clone(),
            above: above.iter().filter_map(|above| Some((above.run, above.unit?))).collect(),
        }
    }
}
