//! What holds of the children of a run at every moment: the steps and items of it that are runs of other workflows.

use millrace_domain::Unit;
use millrace_domain::run::{Attempts, ChildStart, RunTimer};

use crate::fleet::Fleet;
use crate::invariants::rule_holds;

/// A child that is asked for: it is the current attempt, and the first time it is that for the first time.
pub(crate) fn check_child(fleet: &Fleet, start: &ChildStart, again: bool) {
    let (run, unit) = (&fleet.run, start.parent.attempt.unit);
    assert!(!run.head.is_stopping(), "a child was asked for after a stop");
    let is_run_hook = run.workflow.steps[unit.step.at()].is_run_hook();
    assert!(!is_run_hook || run.head.hooks_since.is_some(), "a hook before its turn");
    assert!(rule_holds(run, unit.step), "its rule does not hold: {unit}");
    let before = fleet.children.get(&unit);
    match again {
        true => {
            // Somebody may have given the run another priority.
            let before = before.map(|before| ChildStart { priority: start.priority, ..before.clone() });
            assert_eq!(before.as_ref(), Some(start), "what is asked for again is what was asked for");
        }
        false => {
            assert_eq!(before, None, "two current children of {unit}");
            let last = fleet.starts.iter().rev().map(|start| start.parent.attempt);
            let last = last.filter(|last| last.unit == unit).map(|last| last.attempt).next();
            let attempt = start.parent.attempt.attempt;
            let (next, is_acted_on) = (last.unwrap_or(0) + 1, !run.head.acts.is_empty());
            let rises = attempt == next || (attempt > next && is_acted_on);
            assert!(rises, "{unit}: attempts rise by one");
            let definition = run.workflow.step(unit.step).unwrap();
            let times = definition.repeat.as_ref().map_or(1, |repeat| repeat.max);
            let is_within = attempt <= (1 + definition.retry.limit) * times || !run.head.acts.is_empty();
            assert!(is_within, "past the limits: {start:?}");
        }
    }
    let is_current =
        run.children().any(|(of, attempts, _)| is_attempt(start, of, attempts.attempt) && of == unit);
    assert!(is_current, "{start:?} is not what the run knows");
}

pub(crate) fn is_attempt(start: &ChildStart, unit: Unit, attempt: u32) -> bool {
    (start.parent.attempt.unit, start.parent.attempt.attempt) == (unit, attempt)
}

/// A child is asked after, or told to stop, until it has ended.
pub(crate) fn check_child_of(fleet: &Fleet, unit: Unit, attempts: &Attempts, stops: bool) {
    let start = fleet.children.get(&unit).unwrap_or_else(|| panic!("nobody was asked for {unit}"));
    assert!(is_attempt(start, unit, attempts.attempt), "{unit} is {attempts:?}, and {start:?} was asked for");
    let timer = if stops { RunTimer::CancelCheck } else { RunTimer::Retry(unit) };
    assert!(fleet.timers.contains_key(&timer), "nobody looks after the child of {unit}");
    assert!(
        !stops || !fleet.timers.contains_key(&RunTimer::Retry(unit)),
        "{unit} is asked after, and stopped"
    );
    assert!(!stops || fleet.asked_to_stop.contains_key(&start.parent.attempt), "{unit} was not told to stop");
}
