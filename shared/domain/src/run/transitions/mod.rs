//! Holds [`advance`] to the tables in the documentation of [`run`](super): every event in every state, and what moves
//! each state on.

mod paused;
mod stage;

use stage::{GATE, NOW, OTHER, SUBJECT, UNKNOWN, run, run_event, run_in, step_events, subject_in};

use super::doc_table::table;
use super::{Event, Mover, Refusal, Run, RunTimer, StepState, advance};

/// Everything of a run that can change.
fn picture(run: &Run) -> String {
    let Run { head, steps, tallies, open, holds, advance, .. } = run;
    format!("{head:?} {steps:?} {tallies:?} {open} {holds:?} {advance}")
}

/// The cell for what `event` does to `run`, read off with `word`. A refusal must change nothing.
fn cell(mut run: Run, event: Event, word: fn(&Run) -> &'static str) -> String {
    let before = picture(&run);
    match advance(&mut run, event, NOW) {
        Ok(_) => word(&run).to_owned(),
        Err(refusal) => {
            assert_eq!(picture(&run), before, "{refusal} changed the run");
            let name = match refusal {
                Refusal::RunEnded(_) => "RunEnded",
                Refusal::StaleAttempt { .. } => "StaleAttempt",
                Refusal::NoSuchUnit(_) => "NoSuchUnit",
                Refusal::NotExpected(_) => "NotExpected",
                Refusal::Act { .. } => "Act",
                Refusal::AnotherAct(_) => "AnotherAct",
                Refusal::RunAct(_) => "RunAct",
                Refusal::RunNotWaiting => "RunNotWaiting",
            };
            format!("`{name}`")
        }
    }
}

fn step_word(run: &Run) -> &'static str {
    match &run.steps[SUBJECT.at()] {
        StepState::Waiting => "waiting",
        StepState::Dispatched(_) => "dispatched",
        StepState::Backoff { .. } => "backoff",
        StepState::Fanned(_) => "fanned",
        StepState::Asking { .. } => "asking",
        StepState::Locking { .. } => "locking",
        StepState::Child { .. } => "child",
        StepState::Ended(end) => end.outcome.as_str(),
    }
}

fn run_word(run: &Run) -> &'static str {
    match run.head.stopping {
        Some(_) if run.head.is_stopping() && !run.head.state.is_terminal() => "stopping",
        _ if run.head.paused.is_some() => "paused",
        _ if run.head.hooks_since.is_some() && !run.head.state.is_terminal() => "hooks",
        _ => run.head.state.as_str(),
    }
}

fn mover_word(mover: Option<Mover>) -> &'static str {
    match mover {
        None => "none",
        Some(Mover::Steps) => "steps",
        Some(Mover::Attempt { unit, attempt: 1 }) if unit == SUBJECT.into() => "attempt",
        Some(Mover::Attempt { .. }) => "the attempt of another step",
        Some(Mover::Items) => "items",
        Some(Mover::Resume) => "a resume",
        Some(Mover::Timer(RunTimer::Retry(unit))) if unit == SUBJECT.into() => "retry timer",
        Some(Mover::Timer(RunTimer::Retry(_))) => "retry timer of another step",
        Some(Mover::Timer(RunTimer::Start)) => "start timer",
        Some(Mover::Timer(RunTimer::CancelCheck)) => "cancel check timer",
        Some(Mover::Timer(RunTimer::Timeout)) => "timeout timer",
    }
}

/// The kinds of event; one that is new has to be named here, and to stand in a table.
fn kind(event: &Event) -> usize {
    match event {
        Event::StartDue => 0,
        Event::Result(_) => 1,
        Event::RetryDue { .. } => 2,
        Event::Lost { .. } => 3,
        Event::Revoked { .. } => 4,
        Event::Cancel { .. } => 5,
        Event::TimedOut => 6,
        Event::CancelCheckDue => 7,
        Event::Poisoned { .. } => 8,
        Event::Act(_) => 9,
        Event::ChildEnded(_) => 10,
        Event::Granted { .. } => 11,
        Event::LockRefused { .. } => 12,
        Event::LockTaken { .. } => 13,
        Event::SlotGranted { .. } => 14,
        Event::SlotRefused { .. } => 15,
        Event::Displaced { .. } => 16,
        Event::SlotTaken { .. } => 17,
        Event::RunAct(_) => 18,
    }
}

fn all_events() -> Vec<Event> {
    let tables = ["step", "child", "locks", "people"].into_iter().flat_map(|corner| table(corner).1);
    let of_steps = tables.flat_map(|(row, _)| step_events(row).1);
    let tables = ["run", "slots"].into_iter().flat_map(|corner| table(corner).1);
    let of_runs = tables.map(|(row, _)| run_event(row));
    let of_paused = table("paused").1.into_iter().map(|(row, _)| paused::step_event(row));
    let of_pauses = table("pauses").1.into_iter().map(|(row, _)| paused::run_event(row));
    of_steps.chain(of_runs).chain(of_paused).chain(of_pauses).collect()
}

#[test]
fn every_event_does_to_a_step_what_its_table_says() {
    holds_of_steps("step", (8, 28));
}

#[test]
fn every_event_does_to_a_child_what_its_table_says() {
    holds_of_steps("child", (2, 13));
}

#[test]
fn every_event_does_to_a_step_with_locks_what_its_table_says() {
    holds_of_steps("locks", (3, 15));
}

#[test]
fn every_event_does_to_a_step_that_asks_people_what_its_table_says() {
    holds_of_steps("people", (4, 10));
}

fn holds_of_steps(corner: &str, size: (usize, usize)) {
    let (columns, rows) = table(corner);
    assert_eq!((columns.len(), rows.len()), size);
    for (row, cells) in rows {
        let (policy, events) = step_events(row);
        for (column, said) in columns.iter().zip(cells) {
            for event in &events {
                for run in subject_in(column, policy) {
                    assert_eq!(cell(run, event.clone(), step_word), said, "{row} while {column}: {event:?}");
                }
            }
        }
    }
}

#[test]
fn every_event_does_to_a_run_what_its_table_says() {
    holds_of_runs("run", (6, 5));
}

#[test]
fn every_event_does_to_a_run_that_needs_a_slot_what_its_table_says() {
    holds_of_runs("slots", (6, 7));
}

fn holds_of_runs(corner: &str, size: (usize, usize)) {
    let (columns, rows) = table(corner);
    assert_eq!((columns.len(), rows.len()), size);
    for (row, cells) in rows {
        for (column, said) in columns.iter().zip(cells) {
            for run in run_in(column) {
                assert_eq!(cell(run, run_event(row), run_word), said, "{row} while {column}");
            }
        }
    }
}

#[test]
fn every_event_does_to_a_step_of_a_paused_run_what_its_table_says() {
    let (columns, rows) = table("paused");
    assert_eq!((columns.len(), rows.len()), (8, 11));
    for (row, cells) in rows {
        for (column, said) in columns.iter().zip(cells) {
            let run = paused::subject_in(column);
            assert_eq!(cell(run, paused::step_event(row), step_word), said, "{row} while {column}");
        }
    }
}

#[test]
fn every_event_does_to_a_run_that_is_paused_or_is_to_be_what_its_table_says() {
    let (columns, rows) = table("pauses");
    assert_eq!((columns.len(), rows.len()), (8, 10));
    for (row, cells) in rows {
        for (column, said) in columns.iter().zip(cells) {
            let run = paused::run_in(column);
            assert_eq!(cell(run, paused::run_event(row), run_word), said, "{row} while {column}");
        }
    }
}

#[test]
fn what_a_pause_holds_is_moved_on_by_a_resume() {
    for (column, said) in [
        ("waiting", "steps"),
        ("ready", "a resume"),
        ("dispatched", "attempt"),
        ("held", "a resume"),
        ("fanned", "items"),
        ("locks", "a resume"),
        ("asking", "retry timer"),
        ("child", "retry timer"),
    ] {
        let run = paused::subject_in(column);
        assert_eq!(mover_word(run.mover_of(SUBJECT.into())), said, "{column}");
    }
    let run = paused::run_in("paused: waiting");
    assert_eq!((mover_word(run.mover()), mover_word(run.mover_of(GATE.into()))), ("a resume", "a resume"));
}

#[test]
fn a_run_that_has_ended_refuses_every_event() {
    for event in all_events() {
        for run in run_in("ended") {
            assert_eq!(cell(run, event.clone(), run_word), "`RunEnded`", "{event:?}");
        }
    }
}

#[test]
fn every_kind_of_event_stands_in_a_table() {
    let kinds: std::collections::BTreeSet<usize> = all_events().iter().map(kind).collect();
    assert_eq!(kinds, (0..19).collect());
}

#[test]
fn every_state_is_moved_on_by_what_its_table_says() {
    let (columns, rows) = table("mover of a step");
    assert_eq!((columns.len(), rows.len()), (12, 1));
    for (column, said) in columns.iter().zip(&rows[0].1) {
        for run in subject_in(column, "retry: {limit: 1}") {
            assert_eq!(mover_word(run.mover_of(SUBJECT.into())), *said, "a step while {column}");
        }
    }
    let (columns, rows) = table("mover of a run");
    assert_eq!((columns.len(), rows.len()), (7, 1));
    for (column, said) in columns.iter().zip(&rows[0].1) {
        for run in run_in(column) {
            assert_eq!(mover_word(run.mover()), *said, "a run while {column}");
            assert_eq!(run.mover().is_none(), run.head.state.is_terminal(), "{column}");
        }
    }
}

#[test]
fn the_first_steps_of_a_run_that_waits_are_moved_on_by_its_start() {
    let (run, _) = run("retry: {limit: 1}", Some(NOW + std::time::Duration::from_secs(1)));
    for (step, said) in [(GATE, "start timer"), (SUBJECT, "steps"), (OTHER, "start timer"), (UNKNOWN, "none")]
    {
        assert_eq!(mover_word(run.mover_of(step.into())), said, "{step:?}");
    }
}
