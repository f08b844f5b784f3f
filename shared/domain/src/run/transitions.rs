//! Holds [`advance`] to the tables in the documentation of [`run`](super): every event in every state, and what moves
//! each state on.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::doc_table::table;
use super::{
    Act, Advanced, Deed, Event, Head, Mover, Refusal, Run, RunState, RunTimer, Source, Spec, StepState,
    Trigger, advance, create,
};
use crate::task::TaskResult;
use crate::{Outcome, PartitionId, Priority, RunId, StepIndex, Timestamp, WorkflowId, definition};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const GATE: StepIndex = StepIndex(0);
const SUBJECT: StepIndex = StepIndex(1);
const OTHER: StepIndex = StepIndex(2);
const UNKNOWN: StepIndex = StepIndex(3);

/// A run of three steps: `subject` waits for `gate`, and `other` keeps the run open.
fn run(policy: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
    doing("run: x", policy, start_at)
}

/// The same with what `subject` does.
fn doing(what: &str, policy: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
    let source = format!(
        "name: w\ntimeout: 1h\nsteps:\n  - {{name: gate, run: x}}\n  - {{name: subject, {what}, depends_on: [gate], {policy}}}\n  - {{name: other, run: x}}\n"
    );
    of(&source, start_at)
}

fn of(source: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
    let workflow = Arc::new(definition::parse(source, "w").unwrap().remove(0).workflow);
    let spec = Spec {
        v: 1,
        source: Source::Inline(source.to_owned()),
        params: definition::Params::new(),
        scheduled_at: NOW,
        priority: Priority::P2,
        trigger: Trigger::Api,
        traceparent: None,
        base_dir: None,
    };
    let head = Head { start_at, ..Head::new(workflow.id.clone(), None, NOW) };
    create(RunId::of_key(&WorkflowId::adhoc(), "k", 1), workflow, Arc::new(spec), head, NOW)
}

fn result(step: StepIndex, attempt: u32, outcome: Outcome) -> Event {
    Event::Result(result_of(step, attempt, outcome))
}

fn child_ended(step: StepIndex, attempt: u32, outcome: Outcome) -> Event {
    Event::ChildEnded(result_of(step, attempt, outcome))
}

fn result_of(step: StepIndex, attempt: u32, outcome: Outcome) -> TaskResult {
    TaskResult {
        run: RunId::new(uuid::Uuid::nil(), PartitionId(0)),
        step,
        item: None,
        attempt,
        outcome,
        started_at: NOW,
        ended_at: NOW,
        code: None,
        reason: None,
        outputs: Map::<String, Value>::new(),
        is_typed: false,
        worker: String::new(),
    }
}

fn act(step: StepIndex, attempt: u32, deed: Deed) -> Event {
    let (id, by, why) = ("1".into(), "ann".into(), "it is known".into());
    Event::Act(Box::new(Act { id, unit: step.into(), attempt, deed, by, why }))
}

fn cancel() -> Event {
    Event::Cancel { reason: "enough".into() }
}

/// Applies what must be accepted.
fn accept(run: &mut Run, event: Event) {
    advance(run, event, NOW).unwrap();
}

/// A run in which the subject stands as the column says.
fn subject_in(column: &str, policy: &str) -> Vec<Run> {
    let policy = match column {
        "fanned" => format!("{policy}, foreach: [1]"),
        "asking" => "retry: {limit: 0, then: ask}".to_owned(),
        _ => policy.to_owned(),
    };
    let (mut run, _) = match column.ends_with("child") {
        // It has no attempts that could be lost.
        true => doing("uses: workflow, with: {name: part}", &policy.replace("at_most_once: true", ""), None),
        false => self::run(&policy, None),
    };
    if column == "waiting" {
        return vec![run, self::run(&policy, Some(NOW + std::time::Duration::from_secs(1))).0];
    }
    accept(&mut run, result(GATE, 1, Outcome::Succeeded));
    match column {
        "dispatched" | "fanned" | "child" => {}
        "asking" => accept(&mut run, result(SUBJECT, 1, Outcome::Failed)),
        "backoff" => {
            let StepState::Dispatched(attempts) = run.steps[SUBJECT.at()] else { panic!("not dispatched") };
            run.steps[SUBJECT.at()] = StepState::Backoff { attempts, until: NOW, reason: None };
        }
        "ended" => accept(&mut run, result(SUBJECT, 1, Outcome::Succeeded)),
        "stopping: dispatched" | "stopping: child" => accept(&mut run, cancel()),
        "stopping: ended" => {
            accept(&mut run, result(SUBJECT, 1, Outcome::Succeeded));
            accept(&mut run, cancel());
        }
        _ => panic!("no column {column}"),
    }
    vec![run]
}

/// The events that a row of the step table stands for, and what the subject's policy is then.
fn step_events(row: &str) -> (&'static str, Vec<Event>) {
    let lost = |step: StepIndex, attempt| Event::Lost {
        unit: step.into(),
        attempt,
        reason: "its host is gone".into(),
    };
    let revoked = |step: StepIndex, attempt| Event::Revoked { unit: step.into(), attempt };
    let retries = "retry: {limit: 1}";
    match row {
        "result, retries left" => (retries, vec![result(SUBJECT, 1, Outcome::Failed)]),
        "result, not enough yet" => {
            ("repeat: {until: false, max: 2}", vec![result(SUBJECT, 1, Outcome::Succeeded)])
        }
        "result, somebody is asked" => {
            ("retry: {limit: 0, then: ask}", vec![result(SUBJECT, 1, Outcome::Failed)])
        }
        "result, another attempt" => {
            (retries, [0, 2, u32::MAX].map(|n| result(SUBJECT, n, Outcome::Succeeded)).to_vec())
        }
        "result, unknown step" => (retries, vec![result(UNKNOWN, 1, Outcome::Succeeded)]),
        "lost" => (retries, vec![lost(SUBJECT, 1)]),
        "lost once too often" => {
            ("at_most_once: true", vec![lost(SUBJECT, 1), result(SUBJECT, 1, Outcome::Lost)])
        }
        "lost, another attempt" => (retries, vec![lost(SUBJECT, 0), lost(SUBJECT, 2)]),
        "lost, unknown step" => (retries, vec![lost(UNKNOWN, 1)]),
        "revoked" => (retries, vec![revoked(SUBJECT, 1)]),
        "revoked, another attempt" => (retries, vec![revoked(SUBJECT, 0), revoked(SUBJECT, 2)]),
        "revoked, unknown step" => (retries, vec![revoked(UNKNOWN, 1)]),
        "retry due" => (retries, vec![Event::RetryDue { unit: SUBJECT.into() }]),
        "act: retry" => (retries, vec![act(SUBJECT, 1, Deed::Retry)]),
        "act: skip" => (retries, vec![act(SUBJECT, 1, Deed::Skip)]),
        "act: mark succeeded" => (retries, vec![act(SUBJECT, 1, Deed::Succeed { outputs: Map::new() })]),
        "act: mark failed" => (retries, vec![act(SUBJECT, 1, Deed::Fail)]),
        "act, another attempt" => (retries, [2, u32::MAX].map(|n| act(SUBJECT, n, Deed::Skip)).to_vec()),
        "act, unknown step" => (retries, vec![act(UNKNOWN, 0, Deed::Skip)]),
        "child ended, retries left" => (retries, vec![child_ended(SUBJECT, 1, Outcome::Failed)]),
        "child ended, another attempt" => {
            (retries, [0, 2, u32::MAX].map(|n| child_ended(SUBJECT, n, Outcome::Succeeded)).to_vec())
        }
        "child ended, unknown step" => (retries, vec![child_ended(UNKNOWN, 1, Outcome::Succeeded)]),
        "retry due, unknown step" => (retries, vec![Event::RetryDue { unit: UNKNOWN.into() }]),
        _ => {
            let (what, outcome) = row.split_once(": ").unwrap_or_else(|| panic!("no row {row}"));
            let event = if what == "result" { result } else { child_ended };
            ("retry: {limit: 0}", vec![event(SUBJECT, 1, outcome.parse().unwrap())])
        }
    }
}

fn run_event(row: &str) -> Event {
    match row {
        "start due" => Event::StartDue,
        "cancel" => cancel(),
        "timed out" => Event::TimedOut,
        "poisoned" => Event::Poisoned { reason: "it broke its owner".into() },
        "cancel check due" => Event::CancelCheckDue,
        _ => panic!("no row {row}"),
    }
}

/// Runs that stand as the column of the run table says.
fn run_in(column: &str) -> Vec<Run> {
    let started = || run("retry: {limit: 1}", None).0;
    let after = |events: Vec<Event>| {
        let mut run = started();
        events.into_iter().for_each(|event| accept(&mut run, event));
        run
    };
    let done = |step| result(step, 1, Outcome::Succeeded);
    match column {
        "waiting" => vec![run("retry: {limit: 1}", Some(NOW + std::time::Duration::from_secs(1))).0],
        "running" => vec![started(), after(vec![done(GATE), done(OTHER)])],
        "running, nothing dispatched" => {
            vec![after(vec![done(OTHER), done(GATE), result(SUBJECT, 1, Outcome::Failed)])]
        }
        "stopping" => {
            [cancel(), Event::TimedOut, run_event("poisoned")].map(|stop| after(vec![stop])).to_vec()
        }
        "hooks" => {
            let source =
                "name: w\ntimeout: 1h\nsteps: [{name: only, run: x}]\non_finish: [{name: tell, run: x}]\n";
            let over = |event| {
                let (mut run, _) = of(source, None);
                accept(&mut run, event);
                run
            };
            vec![over(result(GATE, 1, Outcome::Succeeded)), over(result(GATE, 1, Outcome::Failed)), {
                let mut run = over(cancel());
                accept(&mut run, Event::Revoked { unit: GATE.into(), attempt: 1 });
                run
            }]
        }
        "ended" => {
            let last = |outcome| after(vec![done(OTHER), result(GATE, 1, outcome)]);
            let mut skipped = started();
            skipped.head.state = RunState::Skipped;
            vec![
                skipped,
                after(vec![done(OTHER), done(GATE), done(SUBJECT)]),
                last(Outcome::Failed),
                last(Outcome::TimedOut),
                last(Outcome::Cancelled),
            ]
        }
        _ => panic!("no column {column}"),
    }
}

/// Everything of a run that can change.
fn picture(run: &Run) -> String {
    format!("{:?} {:?} {:?} {} {}", run.head, run.steps, run.tallies, run.open, run.advance)
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
        StepState::Child { .. } => "child",
        StepState::Ended(end) => end.outcome.as_str(),
    }
}

fn run_word(run: &Run) -> &'static str {
    match run.head.stopping {
        Some(_) if run.head.is_stopping() && !run.head.state.is_terminal() => "stopping",
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
    }
}

fn all_events() -> Vec<Event> {
    let tables = ["step", "child"].into_iter().flat_map(|corner| table(corner).1);
    let of_steps = tables.flat_map(|(row, _)| step_events(row).1);
    let of_runs = table("run").1.into_iter().map(|(row, _)| run_event(row));
    of_steps.chain(of_runs).collect()
}

#[test]
fn every_event_does_to_a_step_what_its_table_says() {
    holds_of_steps("step", (8, 27));
}

#[test]
fn every_event_does_to_a_child_what_its_table_says() {
    holds_of_steps("child", (2, 13));
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
    let (columns, rows) = table("run");
    assert_eq!((columns.len(), rows.len()), (6, 5));
    for (row, cells) in rows {
        for (column, said) in columns.iter().zip(cells) {
            for run in run_in(column) {
                assert_eq!(cell(run, run_event(row), run_word), said, "{row} while {column}");
            }
        }
    }
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
    assert_eq!(kinds, (0..11).collect());
}

#[test]
fn every_state_is_moved_on_by_what_its_table_says() {
    let (columns, rows) = table("mover of a step");
    assert_eq!((columns.len(), rows.len()), (10, 1));
    for (column, said) in columns.iter().zip(&rows[0].1) {
        for run in subject_in(column, "retry: {limit: 1}") {
            assert_eq!(mover_word(run.mover_of(SUBJECT.into())), *said, "a step while {column}");
        }
    }
    let (columns, rows) = table("mover of a run");
    assert_eq!((columns.len(), rows.len()), (6, 1));
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
