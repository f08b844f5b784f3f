//! How the units of a run ask for locks and rates, and how it is written down what they hold.

use serde_json::{Map, Value};

use super::Run;
use super::child::Ancestor;
use super::dispatch::{lock_names, rate_wanted};
use super::hold::{HOLD, Holds};
use crate::lock::{Ask, Asker, Holder, LockName, Need, Want, check_wants};
use crate::{IdError, TaskId, Timestamp, Unit};

impl Run {
    /// What a unit holds of locks and of a rate, or has asked for.
    pub fn holds_of(&self, unit: Unit) -> Option<&Holds> {
        self.holds.get(&unit)
    }

    /// What a unit has to ask for next before its attempt; `None` where there is nothing (more). A rate comes last, so that its
    /// reserve is not kept while it waits for more.
    pub(super) fn next_need(&self, unit: Unit) -> Option<Need> {
        let step = &self.workflow.steps[unit.step.at()];
        if step.locks.is_empty() && step.rate.is_none() {
            return None;
        }
        let holds = self.holds.get(&unit).copied().unwrap_or_default();
        match (holds.locks, holds.rate) {
            (None, _) if !step.locks.is_empty() => Some(Need::Locks),
            (_, None) if step.rate.is_some() => Some(Need::Rate),
            _ => None,
        }
    }

    /// What a unit wants of what it needs, by the expressions of its step.
    ///
    /// # Errors
    /// A text that says what cannot be asked for, and why.
    pub(super) fn needed(&self, unit: Unit, need: Need) -> Result<Box<[Want]>, String> {
        match need {
            Need::Locks => self.lock_wants(unit),
            Need::Rate => Ok(Box::new([rate_wanted(self, unit)?])),
        }
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
    fn lock_wants(&self, unit: Unit) -> Result<Box<[Want]>, String> {
        let names = lock_names(self, unit)?;
        let uses = &self.workflow.steps[unit.step.at()].locks;
        let want = |(name, lock): (String, &crate::definition::LockUse)| {
            let name = LockName::of_lock(&name).map_err(|IdError(why)| format!("`locks`: {why}"))?;
            Ok(Want { slots: lock.slots, weight: lock.weight, shared: lock.shared, ..Want::exclusive(name) })
        };
        let wants: Box<[Want]> = names.into_iter().zip(uses).map(want).collect::<Result<_, String>>()?;
        check_wants(&wants).map_err(|why| format!("`locks`: {why}"))?;
        Ok(wants)
    }

    /// The ask of a unit for its next attempt, which it makes since an instant.
    pub(super) fn ask_of(&self, unit: Unit, attempt: u32, wants: Box<[Want]>, since: Timestamp) -> Ask {
        // Whoever waits for a rate waits for nobody: what is used comes back by itself.
        let is_rate = wants.iter().any(Want::is_rate);
        let need = if is_rate { Need::Rate } else { Need::Locks };
        let above = self.waiting_above().filter(|_| !is_rate);
        let above = above.filter_map(|above| Some(Holder::of_unit(above.run, above.unit?, Need::Locks)));
        Ask {
            asker: Asker::of_task(TaskId { run: self.id, unit, attempt }, need),
            wants,
            priority: self.priority(),
            since,
            workflow: self.head.workflow.clone(),
            version: self.head.version,
            step: Some(self.workflow.steps[unit.step.at()].name.clone()),
            above: above.collect(),
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
