//! How the units of a run ask for locks, and how it is written down what they hold.

use serde_json::{Map, Value};

use super::Run;
use super::child::Ancestor;
use super::dispatch::lock_names;
use super::hold::{HOLD, Hold};
use crate::lock::{Ask, Holder, LockName, Want, check_wants};
use crate::{IdError, TaskId, Timestamp, Unit};

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
            let name = LockName::of_lock(&name).map_err(|IdError(why)| format!("`locks`: {why}"))?;
            Ok(Want { lock: name, slots: lock.slots, weight: lock.weight, shared: lock.shared })
        };
        let wants: Box<[Want]> = names.into_iter().zip(uses).map(want).collect::<Result<_, String>>()?;
        check_wants(&wants).map_err(|why| format!("`locks`: {why}"))?;
        Ok(wants)
    }

    /// The ask of a unit for its next attempt, which it makes since an instant.
    pub(super) fn ask_of(&self, unit: Unit, attempt: u32, wants: Box<[Want]>, since: Timestamp) -> Ask {
        let above = self.waiting_above().filter(|above| above.unit.is_some());
        Ask {
            asker: TaskId { run: self.id, unit, attempt }.into(),
            wants,
            priority: self.spec.priority,
            since,
            workflow: self.head.workflow.clone(),
            version: self.head.version,
            step: Some(self.workflow.steps[unit.step.at()].name.clone()),
            above: above.map(|above| Holder { run: above.run, unit: above.unit }).collect(),
            at_limit: None,
        }
    }

    /// The runs that this one is in and that wait for it, the outermost first. Whoever has only started a run does not wait
    /// for it, nor do those above.
    pub(super) fn waiting_above(&self) -> impl Iterator<Item = &Ancestor> {
        let above = self.head.parent.as_ref().map(|parent| parent.ancestors.as_slice()).unwrap_or_default();
        let from = above.iter().rposition(|above| !above.waits).map_or(0, |last| last + 1);
        above[from..].iter()
    }
}
