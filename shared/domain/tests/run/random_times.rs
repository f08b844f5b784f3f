//! When the steps of a random workflow may start and end at the earliest: none before those that it waits for, none
//! before its `not_before`, and no wait before its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use millrace_domain::run::{Ended, StepState};
use millrace_domain::{Outcome, StepIndex, Timestamp, Unit};

use crate::fleet::{CREATED, Fleet};
use crate::random_cases::{Case, Zone};
use crate::random_steps::is_eager;
use crate::reference::{End, Step, Wait, Work};

/// The `ask_timeout` of random steps.
const ASK_TIMEOUT: Duration = Duration::from_secs(60 * 60);

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The times of a run that has ended.
pub(crate) struct Times<'c> {
    case: &'c Case,
    fleet: &'c Fleet,
    places: &'c [StepIndex],
}

impl<'c> Times<'c> {
    pub(crate) fn of(case: &'c Case, fleet: &'c Fleet, places: &'c [StepIndex]) -> Self {
        Self { case, fleet, places }
    }

    /// A line for each step that started or ended too early. Those are left out that a stop has ended.
    pub(crate) fn too_early(&self, stopped: &BTreeMap<usize, End>) -> Vec<String> {
        let started: BTreeMap<StepIndex, Timestamp> =
            self.fleet.made.iter().rev().map(|(made, at)| (made.unit.step, *at)).collect();
        let mut lines = Vec::new();
        for (n, step) in self.case.workflow.steps.iter().enumerate() {
            if stopped.contains_key(&n) {
                continue;
            }
            let from = self.earliest(step);
            let (at, earliest) = match &step.work {
                Work::Task(_) => (started.get(&self.places[n]).copied(), from),
                Work::Ask(_) => (self.unanswered_at(n), from + ASK_TIMEOUT),
                Work::Wait(wait) => (self.waited_until(n), over(*wait, from, self.case.zone)),
            };
            if let Some(at) = at.filter(|at| *at < earliest) {
                lines.push(format!("s{n}: at {at}, and that is before {earliest}"));
            }
        }
        lines
    }

    /// A line for each step, or item, that failed before somebody had the time to say what is to become of it. Those are left
    /// out that a stop has ended.
    pub(crate) fn unasked(&self, stopped: &BTreeMap<usize, End>, refused: &BTreeSet<Unit>) -> Vec<String> {
        let sent: BTreeMap<Unit, Timestamp> =
            self.fleet.made.iter().map(|(made, at)| (made.unit, *at)).collect();
        let mut lines = Vec::new();
        for (n, step) in self.case.workflow.steps.iter().enumerate() {
            let asks = matches!(&step.work, Work::Task(task) if task.asks);
            if !asks || stopped.contains_key(&n) {
                continue;
            }
            let unit = Unit::from(self.places[n]);
            let units = sent.range(unit..=Unit { item: Some(u32::MAX), ..unit });
            for (unit, sent) in units.filter(|(unit, _)| !refused.contains(unit)) {
                let name = format!("s{n}");
                let end = unit.item.map_or_else(|| self.end(n), |item| self.fleet.item_end(&name, item));
                let has_failed = |end: &&Ended| {
                    matches!(end.outcome, Outcome::Failed | Outcome::TimedOut) && end.by.is_none()
                };
                let Some(end) = end.filter(has_failed) else { continue };
                if end.applied_at.is_some_and(|at| at < *sent + ASK_TIMEOUT) {
                    lines.push(format!(
                        "{unit} of {name} failed at {:?}, and was asked about from {sent} on",
                        end.applied_at
                    ));
                }
            }
        }
        lines
    }

    /// The instant before which a step does not start.
    fn earliest(&self, step: &Step) -> Timestamp {
        let fire = self.case.fire();
        let ends = step.depends_on.iter().filter_map(|on| self.end(on.step)).filter_map(|end| end.applied_at);
        let ready = if is_eager(step.trigger_rule) { ends.min() } else { ends.max() };
        // "A hook of the **workflow** has its turn when all other steps have ended".
        let all = self.case.workflow.steps.iter().enumerate();
        let others = all.filter(|(_, other)| step.is_hook_of_workflow() && !other.is_hook_of_workflow());
        let turn = others.filter_map(|(n, _)| self.end(n)?.applied_at).max();
        // "waits for that time on the day of the run's fire, in the zone of the workflow".
        let not_before = step.not_before.map(|minutes| {
            let midnight = local(fire, self.case.zone).div_euclid(DAY) * DAY;
            instant(midnight + millis(minutes), self.case.zone)
        });
        [Some(fire), ready, turn, not_before].into_iter().flatten().max().unwrap_or(fire)
    }

    fn end(&self, n: usize) -> Option<&Ended> {
        match &self.fleet.run.steps[self.places[n].at()] {
            StepState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// When the time of a question was over, if it came to that.
    fn unanswered_at(&self, n: usize) -> Option<Timestamp> {
        let was_asked = |end: &&Ended| end.started_at.is_some() && end.by.is_none();
        self.end(n).filter(was_asked).and_then(|end| end.applied_at)
    }

    /// When a wait was over, if it came to that.
    fn waited_until(&self, n: usize) -> Option<Timestamp> {
        self.end(n).filter(|end| end.outcome == Outcome::Succeeded).and_then(|end| end.applied_at)
    }
}

/// When a wait is over that does not start before `from`.
fn over(wait: Wait, from: Timestamp, zone: Zone) -> Timestamp {
    match wait {
        Wait::For(seconds) => from + Duration::from_secs(seconds.into()),
        Wait::Until(seconds) => {
            from.max(Timestamp::from_millis(CREATED.as_millis() + i64::from(seconds) * 1000))
        }
        // "the next such time in the zone of the workflow".
        Wait::UntilTime(minutes) => {
            let now = local(from, zone);
            let today = now.div_euclid(DAY) * DAY + millis(minutes);
            instant(if today < now { today + DAY } else { today }, zone)
        }
        Wait::Unclear => from,
    }
}

fn millis(minutes: u16) -> i64 {
    i64::from(minutes) * 60_000
}

/// The milliseconds that a clock in the zone has counted.
fn local(at: Timestamp, zone: Zone) -> i64 {
    at.as_millis() + zone.minutes * 60_000
}

/// The instant at which a clock in the zone has counted so many milliseconds.
fn instant(local: i64, zone: Zone) -> Timestamp {
    Timestamp::from_millis(local - zone.minutes * 60_000)
}
