//! What holds of a run at every moment, whatever happens to it.

use std::collections::{HashMap, HashSet};

use millrace_domain::run::{Action, Advanced, Ended, Fan, Mover, Run, RunState, RunTimer, StepState};
use millrace_domain::{Outcome, StepIndex, Unit};

use crate::fleet::Fleet;
use crate::invariants_children::{check_child, check_child_of, is_attempt};
use crate::locks::{check_ask, check_locking};
use crate::slots::check_slot_ask;

/// Two runs are the same, down to what is only counted in memory.
pub(crate) fn assert_same(one: &Run, other: &Run, why: &str) {
    assert_eq!(one.head, other.head, "{why}");
    assert_eq!(one.steps, other.steps, "{why}");
    assert_eq!(one.open(), other.open(), "{why}");
    assert_eq!(one.last_advance(), other.last_advance(), "{why}");
    for step in indexes(one) {
        assert_eq!(one.tally(step), other.tally(step), "{why}: {step:?}");
    }
}

fn indexes(run: &Run) -> impl Iterator<Item = StepIndex> + use<> {
    (0..run.steps.len()).map(StepIndex::from)
}

fn end(run: &Run, step: StepIndex) -> Option<&Ended> {
    match &run.steps[step.at()] {
        StepState::Ended(end) => Some(end),
        _ => None,
    }
}

/// What one event may do: `fleet` still knows what was before it, but for its run.
pub(crate) fn check(fleet: &mut Fleet, before: Option<&Run>, advanced: &Advanced) {
    if let Some(before) = before {
        // What somebody did to it may come again.
        let is_nothing = !advanced.head && advanced.units.is_empty() && advanced.actions.is_empty();
        assert!(!before.head.state.is_terminal() || is_nothing, "an ended run moved");
        assert!(advanced.head || fleet.run.head == before.head, "the head changed unsaid");
        for step in indexes(before) {
            let (was, is) = (&before.steps[step.at()], &fleet.run.steps[step.at()]);
            assert!(
                was == is || advanced.units.iter().any(|unit| unit.step == step),
                "{step:?} changed unsaid: {was:?} to {is:?}"
            );
            assert!(was == is || end(before, step).is_none(), "{step:?} had ended");
        }
    }
    check_number(fleet, before, advanced);
    check_actions(fleet, advanced);
    // They are made when no step has failed, and before any hook of the run starts.
    if let (Some(why), None) = (&fleet.run.head.outputs_missing, fleet.run.head.stopping) {
        fleet.verdict.get_or_insert(Outcome::Failed);
        fleet.because.get_or_insert(why.clone());
    }
    for step in advanced.units.iter().filter_map(|unit| unit.whole_step()).collect::<Vec<_>>() {
        let Some(end) = end(&fleet.run, step) else { continue };
        let definition = fleet.run.workflow.step(step).unwrap();
        let fails = matches!(end.outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled);
        if fails && !definition.continue_on_error && fleet.run.head.stopping.is_none() {
            fleet.verdict.get_or_insert(end.outcome);
            let name = &definition.name;
            let why = end.reason.as_deref().unwrap_or(end.outcome.as_str());
            fleet.because.get_or_insert(format!("step {name}: {why}"));
        }
    }
}

/// Each advance that changes the run has the next number, and says so in each end that it writes.
fn check_number(fleet: &Fleet, before: Option<&Run>, advanced: &Advanced) {
    let (run, last) = (&fleet.run, before.map_or(0, Run::last_advance));
    let changed = advanced.head || !advanced.units.is_empty();
    assert_eq!(run.last_advance(), last + u64::from(changed));
    if advanced.head {
        assert_eq!(run.head.advance, run.last_advance());
    }
    let whole = advanced.units.iter().filter_map(|unit| unit.whole_step());
    let items = advanced.ended_items.iter().map(|(_, end)| &**end);
    for end in whole.filter_map(|step| end(run, step)).chain(items) {
        assert_eq!((end.advance, end.applied_at), (run.last_advance(), Some(fleet.now)));
    }
}

fn check_actions(fleet: &Fleet, advanced: &Advanced) {
    let mut current = fleet.current.clone();
    let (mut set, mut cleared) = (HashMap::new(), HashSet::new());
    for action in &advanced.actions {
        match action {
            Action::Dispatch(task) => {
                let (run, step, unit) = (&fleet.run, task.index, task.id().unit);
                assert!(!run.head.is_stopping(), "dispatched after a stop");
                assert!(run.head.paused.is_none(), "dispatched in a paused run");
                let is_run_hook = run.workflow.steps[step.at()].is_run_hook();
                assert!(!is_run_hook || run.head.hooks_since.is_some(), "a hook before its turn");
                assert!(rule_holds(run, step), "its rule does not hold: {step:?}");
                assert_eq!(current.insert(unit, task.attempt), None, "two current attempts of {unit}");
                let last = fleet
                    .tasks
                    .iter()
                    .rev()
                    .find(|task| task.id().unit == unit)
                    .map_or(0, |task| task.attempt);
                // What was asked of locks for an attempt, and given back, has used its number.
                let is_next = task.attempt == last + 1 || (task.attempt > last && !run.head.acts.is_empty());
                assert!(is_next, "{unit}: attempts rise by one, and the first comes once");
                let definition = run.workflow.step(step).unwrap();
                let most = 1 + definition.retry.limit + definition.lost_limit();
                let times = definition.repeat.as_ref().map_or(1, |repeat| repeat.max);
                let is_acted_on = !run.head.acts.is_empty() || fleet.took_back;
                let is_within = task.attempt <= most * times || is_acted_on;
                assert!(is_within, "past the limits: {task:?}");
            }
            Action::Retire { unit, attempt, .. } => assert_eq!(current.remove(unit), Some(*attempt)),
            // Several steps may give items up at once, and one may become ready twice: they say the same twice.
            Action::Set(due, timer) => {
                let other = set.insert(*timer, *due);
                assert!(other.is_none_or(|other| other == *due), "{timer:?} set for two instants");
            }
            Action::Clear(timer) => assert!(cleared.insert(*timer), "{timer:?} cleared twice"),
            Action::Stop { tasks, .. } | Action::TakeBack { tasks } => {
                assert!(tasks.iter().all(|(unit, n)| current.get(unit) == Some(n)));
            }
            Action::AskLocks(ask) if ask.asker.unit.is_none() => check_slot_ask(fleet, ask),
            Action::AskLocks(ask) => {
                assert!(fleet.run.head.paused.is_none(), "locks are asked for in a paused run");
                check_ask(fleet, ask);
            }
            Action::ReleaseLocks { asker, .. } => match asker.task() {
                Some(task) => {
                    let holds = fleet.run.holds_of(task.unit);
                    assert!(holds.is_none(), "{task} is released, and held");
                }
                None => assert!(fleet.run.head.state.is_terminal(), "a run that goes on gives its slot back"),
            },
            Action::StartChild { start, again } => {
                assert!(*again || fleet.run.head.paused.is_none(), "a child begins in a paused run");
                check_child(fleet, start, *again);
            }
            Action::StopChild { start, .. } => {
                let is_child =
                    fleet.run.children().any(|(unit, attempts, _)| is_attempt(start, unit, attempts.attempt));
                assert!(is_child, "what is no child was stopped: {start:?}");
            }
            Action::TellParent(_) | Action::End => assert!(fleet.run.head.state.is_terminal()),
        }
    }
    assert!(
        set.keys().all(|timer| !cleared.contains(timer)),
        "set and cleared by one event: {set:?} {cleared:?}"
    );
    assert_eq!(current.into_iter().collect::<Vec<_>>(), dispatched(&fleet.run));
}

fn dispatched(run: &Run) -> Vec<(Unit, u32)> {
    run.dispatched().map(|(unit, attempts)| (unit, attempts.attempt)).collect()
}

/// What holds between two events.
pub(crate) fn hold(fleet: &Fleet) {
    let run = &fleet.run;
    assert_same(&fleet.load(), run, "what the store has is not what is in memory");
    for step in indexes(run) {
        check_step(fleet, step);
    }
    let open = indexes(run).filter(|step| end(run, *step).is_none()).count();
    // Where its outputs use what is kept apart, a run ends once that was read.
    let is_reading =
        run.head.state == RunState::Running && run.mover() == Some(Mover::Timer(RunTimer::Start));
    let has_ended = open == 0 && !is_reading;
    assert_eq!((run.open() as usize, run.head.state.is_terminal()), (open, has_ended));
    assert!(!is_reading || (run.workflow.outputs.is_some() && run.keeps_apart()), "nothing is to be read");
    let ends_at = run.head.ended_at.is_some();
    assert_eq!((fleet.ends, ends_at), if has_ended { (1, true) } else { (0, false) });
    if has_ended {
        let outcome = run.head.stopping.or(fleet.verdict).unwrap_or(Outcome::Succeeded);
        assert_eq!(run.head.state, RunState::from(outcome));
    } else {
        let moves = |timer: &RunTimer| matches!(timer, RunTimer::Start | RunTimer::Retry(_));
        assert!(
            !fleet.current.is_empty()
                || !fleet.children.is_empty()
                || fleet.timers.keys().any(moves)
                || run.head.paused.is_some(),
            "nothing will ever move the run on"
        );
    }
    check_verdict(fleet);
    check_movers(fleet);
    let is_timed = run.head.started_at.is_some() && run.head.hooks_since.is_none();
    let timed = run.workflow.timeout.is_some() && is_timed && run.head.stopping.is_none();
    if timed && open > 0 && !is_reading {
        assert!(fleet.timers.contains_key(&RunTimer::Timeout), "the timeout is not set");
    }
}

/// Whether the rule of a step holds, by the words of the documentation.
pub(crate) fn rule_holds(run: &Run, step: StepIndex) -> bool {
    let (mut met, mut failed, mut passed_over, mut open) = (0, 0, 0, 0);
    for (on, status) in run.workflow.graph.dependency_edges(step) {
        let Some(ended) = end(run, on) else {
            open += 1;
            continue;
        };
        let is_excused = run.workflow.steps[on.at()].continue_on_error;
        let ended_as = match ended.outcome {
            Outcome::Skipped => "skipped",
            Outcome::Succeeded => "success",
            _ if is_excused => "success",
            _ => "failed",
        };
        let is_met = match status.as_str() {
            "finished" => true,
            "ran" => ended_as != "skipped",
            wanted => wanted == ended_as,
        };
        if is_met {
            met += 1;
        } else if ended_as == "failed" || ended.after_failure {
            failed += 1;
        } else {
            passed_over += 1;
        }
    }
    match run.workflow.steps[step.at()].rule.as_str() {
        "one_success" => met > 0,
        "one_failed" => failed > 0,
        _ if open > 0 => false,
        "all_success" => failed + passed_over == 0,
        "all_finished" => true,
        "none_failed" => failed == 0,
        "all_failed" => met + passed_over == 0 && failed > 0,
        "none_skipped" => passed_over == 0,
        rule => panic!("no rule {rule}"),
    }
}

fn check_step(fleet: &Fleet, step: StepIndex) {
    let run = &fleet.run;
    let dependencies = run.workflow.graph.dependencies(step);
    match &run.steps[step.at()] {
        StepState::Waiting => {
            if run.head.hooks_since.is_none() && run.workflow.steps[step.at()].is_run_hook() {
                return;
            }
            assert!(!run.head.is_stopping(), "{step:?} waits in a stopping run");
            let judged = dependencies.iter().all(|d| end(run, *d).is_some()) || rule_holds(run, step);
            let is_woken = fleet.is_woken(step) || run.head.paused.is_some();
            assert!(!judged || is_woken || run.head.state != RunState::Running, "{step:?} waits for nothing");
        }
        StepState::Backoff { .. } if run.head.paused.is_some() => {}
        StepState::Backoff { until, .. } => {
            assert_eq!(fleet.timers.get(&RunTimer::Retry(step.into())), Some(until), "{step:?} is not woken");
        }
        StepState::Dispatched(attempts) => {
            let definition = run.workflow.step(step).unwrap();
            assert!(attempts.retries <= definition.retry.limit && attempts.lost <= definition.lost_limit());
            // What somebody had tried again is none of these.
            let counted = 1 + attempts.retries + attempts.lost;
            let is_counted = attempts.attempt == counted || !run.head.acts.is_empty() || fleet.took_back;
            assert!(attempts.repeats > 0 || (is_counted && attempts.attempt >= counted));
            let most = definition.repeat.as_ref().map_or(0, |repeat| repeat.max - 1);
            assert!(attempts.repeats <= most, "{step:?} is repeated too often");
            let stopping = run.head.is_stopping();
            assert!(
                !stopping || fleet.timers.contains_key(&RunTimer::CancelCheck),
                "nobody looks after {step:?}"
            );
        }
        StepState::Asking { until, .. } => {
            assert!(!run.head.is_stopping(), "{step:?} asks in a stopping run");
            assert_eq!(fleet.timers.get(&RunTimer::Retry(step.into())), Some(until), "{step:?} is not woken");
        }
        StepState::Locking { attempts, .. } => {
            check_locking(fleet, step.into(), attempts, run.head.is_stopping());
        }
        StepState::Child { attempts, .. } => {
            check_child_of(fleet, step.into(), attempts, run.head.is_stopping());
        }
        StepState::Fanned(fan) => check_fan(fleet, step, fan),
        StepState::Ended(ended) => {
            if let Some(counts) = &ended.items {
                let left = fleet.current.keys().filter(|unit| unit.step == step);
                assert_eq!(left.count(), 0, "{step:?} has ended, and items of it are with the fleet");
                assert_eq!(counts.ended(), counts.begun, "{step:?}: an item has begun, and not ended");
            }
            if ended.outcome == Outcome::Skipped && ended.by.is_none() {
                // A run that it was may have been.
                if ended.attempts.attempt > 0 {
                    let was_child = fleet.starts.iter().any(|start| start.parent.attempt.unit == step.into());
                    assert!(was_child, "{step:?} was skipped, and yet it started");
                    return;
                }
                if run.workflow.steps[step.at()].is_run_hook() || run.head.stopping == Some(Outcome::Skipped)
                {
                    return;
                }
                let has_condition = run.workflow.steps[step.at()].condition.is_some();
                assert!(has_condition || !rule_holds(run, step), "{step:?} was skipped, and its rule holds");
            }
        }
    }
}

/// A step that has fanned out: what is open is dispatched or woken, and what has begun and is not open has ended.
fn check_fan(fleet: &Fleet, step: StepIndex, fan: &Fan) {
    let policy = fleet.run.workflow.step(step).unwrap().fan.as_deref().unwrap();
    let counts = fan.fanned.counts;
    assert!(fan.open.len() <= policy.max_parallel as usize, "{step:?}: more items at once than may be");
    assert_eq!(counts.ended() as usize + fan.open.len(), counts.begun as usize, "{step:?}: {counts:?}");
    let stops = fleet.run.head.is_stopping() || fan.fanned.stopping_since.is_some();
    let room = fan.open.len() < policy.max_parallel as usize && counts.begun < counts.total && !stops;
    let is_woken = fleet.timers.contains_key(&RunTimer::Retry(step.into()));
    let is_paused = fleet.run.head.paused.is_some();
    assert!(!room || is_woken || is_paused, "{step:?} has room for an item, and begins none");
    for (item, state) in &fan.open {
        let unit = Unit { step, item: Some(*item) };
        match state {
            StepState::Dispatched(attempts) => assert_eq!(fleet.current.get(&unit), Some(&attempts.attempt)),
            StepState::Backoff { .. } if is_paused => assert!(!stops, "{unit} is held, and given up"),
            StepState::Backoff { until, .. } | StepState::Asking { until, .. } => {
                assert!(!stops, "{unit} waits for a retry, and is given up");
                assert_eq!(fleet.timers.get(&RunTimer::Retry(unit)), Some(until), "{unit} is not woken");
            }
            StepState::Locking { attempts, .. } => check_locking(fleet, unit, attempts, stops),
            StepState::Child { attempts, .. } => check_child_of(fleet, unit, attempts, stops),
            other => panic!("an item that is open is {other:?}"),
        }
    }
    let looked_after = !stops || fleet.timers.contains_key(&RunTimer::CancelCheck);
    assert!(looked_after, "nobody looks after the items of {step:?}");
}

/// A run that nobody stops ends as the first of its steps that did not succeed. The stored head says so from then on:
/// by that word a process of version 0.1 ends it.
fn check_verdict(fleet: &Fleet) {
    let (run, stored) = (&fleet.run, fleet.stored_head());
    if run.head.stopping.is_some() {
        return;
    }
    let expected = fleet.verdict.zip(fleet.because.clone());
    assert_eq!(run.verdict(), expected);
    assert_eq!(stored.verdict.zip(stored.reason), expected);
}

/// What a state names as its mover is there to move it: no step and no run can stick.
fn check_movers(fleet: &Fleet) {
    let run = &fleet.run;
    let mut last = Vec::new();
    for step in indexes(run) {
        let mover = run.mover_of(step.into());
        assert_eq!(
            mover.is_none(),
            end(run, step).is_some(),
            "{step:?} has not ended, and nothing moves it on"
        );
        assert_eq!(
            mover.is_none(),
            run.blockers(step.into(), fleet.now).is_empty(),
            "{step:?} does not say what keeps it"
        );
        if let Some(mover) = mover {
            // What it uses may have been kept apart after it was left to the start timer, which has it woken then.
            let is_waiting = run.steps[step.at()] == StepState::Waiting;
            let is_to_be_woken = is_waiting && mover == Mover::Timer(RunTimer::Retry(step.into()));
            let is_left = is_to_be_woken && fleet.timers.contains_key(&RunTimer::Start);
            assert!(
                is_left || is_there(fleet, mover, run.waits_for(step).next()),
                "{step:?} waits in vain for {mover:?}"
            );
            last.extend(Some(mover).filter(|mover| *mover != Mover::Steps));
        }
    }
    let mover = run.mover();
    assert_eq!(
        mover.is_none(),
        run.head.state.is_terminal(),
        "the run has not ended, and nothing moves it on"
    );
    if let Some(mover) = mover {
        let open = indexes(run).find(|step| end(run, *step).is_none());
        assert!(is_there(fleet, mover, open), "the run waits in vain for {mover:?}");
        last.extend(Some(mover).filter(|mover| *mover != Mover::Steps));
    }
    // Steps wait for each other without a cycle, so that in the end something else moves them.
    assert_eq!(last.is_empty(), run.head.state.is_terminal(), "steps wait for each other alone");
}

fn is_there(fleet: &Fleet, mover: Mover, open: Option<StepIndex>) -> bool {
    match mover {
        Mover::Timer(timer) => fleet.timers.contains_key(&timer),
        Mover::Attempt { unit, attempt } => fleet.current.get(&unit) == Some(&attempt),
        // What each item is moved on by is checked with its step.
        Mover::Items => true,
        Mover::Resume => fleet.run.head.paused.is_some(),
        Mover::Steps => open.is_some(),
    }
}
