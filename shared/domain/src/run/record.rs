//! How a run is stored: a head, and a record for each step that is not simply waiting. All JSON, versioned by
//! being read leniently: a field that is missing has its default, one that is unknown is carried along.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hold::{HOLD, Holds};
use super::state::Carried;
use super::{Asks, Attempts, Ended, Fan, Fanned, Head, Run, Spec, StepState};
use crate::carried::{unknown_fields, with_fields};
use crate::definition::Workflow;
use crate::lock::Want;
use crate::{RunId, StepIndex, Timestamp, Unit, WorkflowId};

/// The record of a step, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "s", rename_all = "snake_case")]
pub enum StepRecord {
    /// An attempt is with the fleet.
    Dispatched(Attempts),
    /// The step waits for a time.
    Backoff {
        /// The attempts so far.
        attempts: Attempts,
        /// When the next attempt is due.
        until: Timestamp,
        /// Why the last attempt was not enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The unit asks people.
    Asking {
        /// What it asks.
        #[serde(default, skip_serializing_if = "Asks::is_after_failure")]
        asks: Asks,
        /// The end that it comes to when nobody answers.
        end: Box<Ended>,
        /// When that is.
        until: Timestamp,
    },
    /// The unit waits for locks.
    Locking {
        /// The attempts so far.
        attempts: Attempts,
        /// Since when it waits.
        since: Timestamp,
        /// What it wants.
        wants: Box<[Want]>,
    },
    /// The unit is a run of another workflow.
    Child {
        /// The attempts so far.
        attempts: Attempts,
        /// The workflow that the child runs.
        workflow: WorkflowId,
        /// Whether the unit waits for the end of the child.
        waits: bool,
    },
    /// The step has fanned out.
    Fanned(Fanned),
    /// The unit has ended.
    Ended(Box<Ended>),
}

/// The error of a record that does not read as it was written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the stored {what} of run {run} cannot be read: {why}")]
pub struct RecordError {
    run: RunId,
    what: &'static str,
    why: String,
}

impl StepRecord {
    /// The record of `state`. A waiting step has none.
    pub fn of(state: &StepState) -> Option<Self> {
        Some(match state {
            StepState::Waiting => return None,
            StepState::Dispatched(attempts) => Self::Dispatched(*attempts),
            StepState::Backoff { attempts, until, reason } => {
                Self::Backoff { attempts: *attempts, until: *until, reason: reason.clone() }
            }
            StepState::Asking { asks, end, until } => {
                Self::Asking { asks: asks.clone(), end: end.clone(), until: *until }
            }
            StepState::Locking { attempts, since, wants } => {
                Self::Locking { attempts: *attempts, since: *since, wants: wants.clone() }
            }
            StepState::Child { attempts, workflow, waits } => {
                Self::Child { attempts: *attempts, workflow: workflow.clone(), waits: *waits }
            }
            StepState::Fanned(fan) => Self::Fanned(fan.fanned.clone()),
            StepState::Ended(end) => Self::Ended(end.clone()),
        })
    }

    fn into_state(self) -> StepState {
        match self {
            Self::Dispatched(attempts) => StepState::Dispatched(attempts),
            Self::Backoff { attempts, until, reason } => StepState::Backoff { attempts, until, reason },
            Self::Asking { asks, end, until } => StepState::Asking { asks, end, until },
            Self::Locking { attempts, since, wants } => StepState::Locking { attempts, since, wants },
            Self::Child { attempts, workflow, waits } => StepState::Child { attempts, workflow, waits },
            Self::Fanned(fanned) => {
                StepState::Fanned(Box::new(Fan { fanned, items: Arc::default(), open: BTreeMap::new() }))
            }
            Self::Ended(end) => StepState::Ended(end),
        }
    }
}

impl Run {
    /// The steps that have fanned out and whose lists have to be given to them before the run goes on.
    pub fn lists_wanted(&self) -> Vec<StepIndex> {
        let wants = |state: &StepState| matches!(state, StepState::Fanned(fan) if fan.items.is_empty() && fan.fanned.counts.total > 0);
        let steps = self.steps.iter().enumerate().filter(|(_, state)| wants(state));
        steps.map(|(step, _)| step.into()).collect()
    }

    /// Gives a step the list over which it has fanned out, as it was written down.
    ///
    /// # Errors
    /// When the list cannot be read, or has another length than the step knows.
    pub fn give_list(&mut self, step: StepIndex, list: &str) -> Result<(), RecordError> {
        let error = |why: String| RecordError { run: self.id, what: "list", why };
        let items: Vec<serde_json::Value> =
            serde_json::from_str(list).map_err(|e| error(format!("step {}: {e}", step.0)))?;
        let Some(StepState::Fanned(fan)) = self.steps.get_mut(step.at()) else { return Ok(()) };
        if items.len() != fan.fanned.counts.total as usize {
            let (found, total) = (items.len(), fan.fanned.counts.total);
            let why = format!("step {} has {total} items, and {found} are stored", step.0);
            return Err(RecordError { run: self.id, what: "list", why });
        }
        fan.items = items.into();
        Ok(())
    }

    /// The record of the head, as it is stored.
    pub fn head_record(&self) -> String {
        let record = serde_json::to_string(&self.head).unwrap_or_default();
        match &self.head.carried {
            Some(carried) => with_fields(record, &carried.head),
            None => record,
        }
    }

    /// The record of a unit, as it is stored. A first attempt that was dispatched at once has none: the claim record of
    /// the attempt says all of it. One that waited for a time before has a record, in place of that of the wait. An item that
    /// has ended has none here: its end is written down apart from the run.
    pub fn unit_record(&self, unit: Unit) -> Option<String> {
        let state = self.state_of(unit)?;
        if matches!(state, StepState::Dispatched(attempts) if attempts.attempt == 1 && attempts.advance == 0)
        {
            return None;
        }
        let record = StepRecord::of(state).and_then(|record| serde_json::to_string(&record).ok())?;
        let record = match self.hold_field(unit) {
            Some(hold) => with_fields(record, &hold),
            None => record,
        };
        let carried = self.head.carried.as_ref().and_then(|carried| carried.units.get(&unit));
        Some(match carried {
            Some(carried) => with_fields(record, carried),
            None => record,
        })
    }

    /// Restores a run from what is stored of it. `attempts` are the current attempts known to the store: (unit,
    /// attempt, dispatched at).
    ///
    /// # Errors
    /// When a record cannot be read, or names a step that the definition does not have.
    pub fn restore(
        id: RunId,
        workflow: Arc<Workflow>,
        spec: Arc<Spec>,
        head: &str,
        records: &[(Unit, String)],
        attempts: &[(Unit, u32, Timestamp)],
    ) -> Result<Self, RecordError> {
        let error = |what, why: String| RecordError { run: id, what, why };
        let text = head;
        let mut head: Head = serde_json::from_str(text).map_err(|e| error("head", e.to_string()))?;
        let mut carried = Carried { head: unknown_fields(text, &head), units: BTreeMap::new() };
        let mut steps = vec![StepState::Waiting; workflow.steps.len()];
        let place = |unit: Unit| {
            let step = Some(unit.step.at()).filter(|at| *at < workflow.steps.len());
            step.ok_or_else(|| error("step", format!("the definition has no step {unit}")))
        };
        let mut items: BTreeMap<Unit, StepState> = BTreeMap::new();
        let mut holds: BTreeMap<Unit, Holds> = BTreeMap::new();
        for (unit, text) in records {
            let at = place(*unit)?;
            let record: StepRecord = serde_json::from_str(text).map_err(|e| error("step", e.to_string()))?;
            // That of a step that has ended is never rewritten.
            if !matches!(record, StepRecord::Ended(_)) {
                let mut unknown = unknown_fields(text, &record);
                if let Some(hold) = unknown.remove(HOLD) {
                    let hold = serde_json::from_value(hold).map_err(|e| error("hold", e.to_string()))?;
                    holds.insert(*unit, hold);
                }
                carried.units.extend((!unknown.is_empty()).then_some((*unit, unknown)));
            }
            match unit.item {
                None => steps[at] = record.into_state(),
                Some(_) => drop(items.insert(*unit, record.into_state())),
            }
        }
        if carried != Carried::default() {
            head.carried = Some(Box::new(carried));
        }
        for &(unit, attempt, dispatched_at) in attempts {
            let at = place(unit)?;
            let dispatched =
                StepState::Dispatched(Attempts { attempt, dispatched_at, ..Attempts::default() });
            match unit.item {
                None if steps[at] == StepState::Waiting => steps[at] = dispatched,
                None => {}
                Some(_) => drop(items.entry(unit).or_insert(dispatched)),
            }
        }
        for (unit, state) in items {
            // Of a step whose items are not open any more, something may be left.
            if let (StepState::Fanned(fan), Some(item)) = (&mut steps[unit.step.at()], unit.item) {
                fan.open.insert(item, state);
            }
        }
        Ok(Self { holds, ..Self::assemble(id, workflow, spec, head, steps) })
    }

    /// Assembles a run, counting what is open, how dependencies are judged, and what has been done: O(steps + edges), at load only.
    fn assemble(
        id: RunId,
        workflow: Arc<Workflow>,
        spec: Arc<Spec>,
        head: Head,
        steps: Vec<StepState>,
    ) -> Self {
        let open = steps.iter().filter(|step| !matches!(step, StepState::Ended(_))).count() as u32;
        let advance = steps.iter().map(written_by).chain([head.advance]).max().unwrap_or_default();
        let is_elsewhere = |step: &&StepState| matches!(step, StepState::Ended(end) if end.is_apart());
        let elsewhere = steps.iter().filter(is_elsewhere).count() as u32;
        let (tallies, lent, holds) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut run =
            Self { id, workflow, spec, head, steps, tallies, open, elsewhere, lent, holds, advance };
        run.judge_all();
        run
    }
}

/// The number of the advance that wrote the record of a step; 0 when it has none, or none with a number.
fn written_by(state: &StepState) -> u64 {
    match state {
        StepState::Waiting => 0,
        StepState::Dispatched(attempts)
        | StepState::Backoff { attempts, .. }
        | StepState::Locking { attempts, .. }
        | StepState::Child { attempts, .. } => attempts.advance,
        StepState::Asking { end, .. } => end.advance,
        StepState::Fanned(fan) => {
            fan.open.values().map(written_by).chain([fan.fanned.advance]).max().unwrap_or_default()
        }
        StepState::Ended(end) => end.advance,
    }
}
