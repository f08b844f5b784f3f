//! Runs that stand as a column of the tables says, and the events that a row stands for.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::lock::LockName;
use crate::run::{
    Act, Advanced, Deed, Event, Head, Run, RunState, Source, Spec, StepState, Trigger, advance, create,
};
use crate::task::TaskResult;
use crate::{Outcome, PartitionId, Priority, RunId, StepIndex, Timestamp, WorkflowId, definition};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000_000);
pub(super) const GATE: StepIndex = StepIndex(0);
pub(super) const SUBJECT: StepIndex = StepIndex(1);
pub(super) const OTHER: StepIndex = StepIndex(2);
pub(super) const UNKNOWN: StepIndex = StepIndex(3);

/// A run of three steps: `subject` waits for `gate`, and `other` keeps the run open.
pub(super) fn run(policy: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
    doing("run: x", policy, start_at)
}

/// The same with what `subject` does.
pub(super) fn doing(what: &str, policy: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
    let source = format!(
        "name: w\ntimeout: 1h\nsteps:\n  - {{name: gate, run: x}}\n  - {{name: subject, {what}, depends_on: [gate], {policy}}}\n  - {{name: other, run: x}}\n"
    );
    of(&source, start_at)
}

pub(super) fn of(source: &str, start_at: Option<Timestamp>) -> (Run, Advanced) {
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

pub(super) fn result(step: StepIndex, attempt: u32, outcome: Outcome) -> Event {
    Event::Result(result_of(step, attempt, outcome))
}

pub(super) fn child_ended(step: StepIndex, attempt: u32, outcome: Outcome) -> Event {
    Event::ChildEnded(result_of(step, attempt, outcome))
}

pub(super) fn result_of(step: StepIndex, attempt: u32, outcome: Outcome) -> TaskResult {
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
        retry_after_ms: None,
        is_typed: false,
        worker: String::new(),
    }
}

pub(super) fn act(step: StepIndex, attempt: u32, deed: Deed) -> Event {
    let (id, by, why) = ("1".into(), "ann".into(), "it is known".into());
    Event::Act(Box::new(Act { id, unit: step.into(), attempt, deed, by, why }))
}

pub(super) fn cancel() -> Event {
    Event::Cancel { reason: "enough".into() }
}

/// Applies what must be accepted.
pub(super) fn accept(run: &mut Run, event: Event) {
    advance(run, event, NOW).unwrap();
}

/// A run in which the subject stands as the column says.
pub(super) fn subject_in(column: &str, policy: &str) -> Vec<Run> {
    let policy = match column {
        "fanned" => format!("{policy}, foreach: [1]"),
        "asking" => "retry: {limit: 0, then: ask}".to_owned(),
        _ => policy.to_owned(),
    };
    if let Some(state) = column.strip_prefix("asks: ") {
        return vec![asking(state)];
    }
    if let Some(state) = column.strip_prefix("locks: ") {
        return vec![with_locks(state, &policy)];
    }
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

/// A run whose subject asks people.
fn asking(state: &str) -> Run {
    let what = match state {
        "input" => "uses: input, with: {fields: [{name: n, type: int}]}",
        "one more" => "uses: approval, with: {of: 2}",
        _ => "uses: approval",
    };
    let (mut run, _) = doing(what, "continue_on_error: true", None);
    if state == "waiting" {
        return run;
    }
    accept(&mut run, result(GATE, 1, Outcome::Succeeded));
    if state == "one more" {
        accept(&mut run, answer("0", "bob", Deed::Approve));
    }
    run
}

fn answer(id: &str, by: &str, deed: Deed) -> Event {
    let (id, by, why) = (id.into(), by.into(), String::new());
    Event::Act(Box::new(Act { id, unit: SUBJECT.into(), attempt: 0, deed, by, why }))
}

fn supply(values: &[(&str, i64)]) -> Event {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    answer("1", "ann", Deed::Supply { values })
}

/// A run whose subject needs a lock, and waits for it, holds it, or has given it back.
fn with_locks(state: &str, policy: &str) -> Run {
    let (mut run, _) = run(&format!("{policy}, locks: [db]"), None);
    accept(&mut run, result(GATE, 1, Outcome::Succeeded));
    if state == "locking" {
        return run;
    }
    accept(&mut run, granted(SUBJECT, 1));
    if state == "backoff" {
        let StepState::Dispatched(attempts) = run.steps[SUBJECT.at()] else { panic!("not dispatched") };
        run.steps[SUBJECT.at()] = StepState::Backoff { attempts, until: NOW, reason: None };
        run.holds.clear();
    }
    run
}

fn lock_refused(step: StepIndex) -> Event {
    Event::LockRefused { unit: step.into(), attempt: 1, reason: "no".into() }
}

fn lock_taken(step: StepIndex) -> Event {
    let locks = vec!["db".parse().unwrap()];
    Event::LockTaken { unit: step.into(), attempt: 1, locks, by: "ann".into(), why: None }
}

fn granted(step: StepIndex, attempt: u32) -> Event {
    let locks = vec!["db".parse().unwrap()];
    Event::Granted { unit: step.into(), attempt, locks, token: 7 }
}

/// The events that a row of the step table stands for, and what the subject's policy is then.
pub(super) fn step_events(row: &str) -> (&'static str, Vec<Event>) {
    let lost = |step: StepIndex, attempt| Event::Lost {
        unit: step.into(),
        attempt,
        reason: "its host is gone".into(),
    };
    let revoked = |step: StepIndex, attempt| Event::Revoked { unit: step.into(), attempt, unclaimed: false };
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
        "revoked, nobody had claimed it" => {
            (retries, vec![Event::Revoked { unit: SUBJECT.into(), attempt: 1, unclaimed: true }])
        }
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
        "granted" => (retries, vec![granted(SUBJECT, 1)]),
        "granted, another attempt" => (retries, vec![granted(SUBJECT, 0), granted(SUBJECT, 2)]),
        "granted, unknown step" => (retries, vec![granted(UNKNOWN, 1)]),
        "lock refused" => (retries, vec![lock_refused(SUBJECT)]),
        "lock refused, unknown step" => (retries, vec![lock_refused(UNKNOWN)]),
        "lock taken" => (retries, vec![lock_taken(SUBJECT)]),
        "lock taken, unknown step" => (retries, vec![lock_taken(UNKNOWN)]),
        "act: approve" => (retries, vec![answer("1", "ann", Deed::Approve)]),
        "act: approve, the same person" => (retries, vec![answer("1", "bob", Deed::Approve)]),
        "act: approve, without a name" => (retries, vec![answer("1", "", Deed::Approve)]),
        "act: reject" => (retries, vec![answer("1", "ann", Deed::Reject)]),
        "act: supply" => (retries, vec![supply(&[("n", 1)])]),
        "act: supply nothing" => (retries, vec![supply(&[])]),
        "act on a question: retry" => (retries, vec![act(SUBJECT, 0, Deed::Retry)]),
        "act on a question: skip" => (retries, vec![act(SUBJECT, 0, Deed::Skip)]),
        "act on what had no attempt: skip" => (retries, vec![act(SUBJECT, 0, Deed::Skip)]),
        "act on what had no attempt: retry" => (retries, vec![act(SUBJECT, 0, Deed::Retry)]),
        "retry due, unknown step" => (retries, vec![Event::RetryDue { unit: UNKNOWN.into() }]),
        _ => {
            let (what, outcome) = row.split_once(": ").unwrap_or_else(|| panic!("no row {row}"));
            let event = if what == "result" { result } else { child_ended };
            ("retry: {limit: 0}", vec![event(SUBJECT, 1, outcome.parse().unwrap())])
        }
    }
}

pub(super) fn run_event(row: &str) -> Event {
    match row {
        "start due" => Event::StartDue,
        "cancel" => cancel(),
        "timed out" => Event::TimedOut,
        "poisoned" => Event::Poisoned { reason: "it broke its owner".into() },
        "cancel check due" => Event::CancelCheckDue,
        "slot granted" => Event::SlotGranted { slots: slots() },
        "slot refused" => {
            Event::SlotRefused { outcome: Outcome::Skipped, reason: "another is under way".into() }
        }
        "displaced" => Event::Displaced { slots: slots(), reason: "replaced by another".into() },
        "slot taken" => Event::SlotTaken { slots: slots(), by: "ann".into(), why: None },
        _ => panic!("no row {row}"),
    }
}

fn slots() -> LockName {
    "@w".parse().unwrap()
}

/// A run whose workflow allows one at a time, which waits for its turn, has it, or has no slot any more.
fn with_slot(state: &str) -> Run {
    let source = "name: w\ntimeout: 1h\nconcurrency: 1\nsteps: [{name: only, run: x}]\non_finish: [{name: tell, run: x}]\n";
    let (mut run, _) = of(source, None);
    let mut after = |rows: &[&str]| rows.iter().for_each(|row| accept(&mut run, run_event(row)));
    match state {
        "waiting" => {}
        "running" => after(&["slot granted"]),
        "stopping" => after(&["slot granted", "cancel"]),
        "taken" => after(&["slot granted", "slot taken"]),
        "hooks" => {
            after(&["slot granted"]);
            accept(&mut run, result(GATE, 1, Outcome::Succeeded));
        }
        _ => panic!("no state {state}"),
    }
    run
}

/// Runs that stand as the column of the run table says.
pub(super) fn run_in(column: &str) -> Vec<Run> {
    if let Some(state) = column.strip_prefix("slots: ") {
        return vec![with_slot(state)];
    }
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
                accept(&mut run, Event::Revoked { unit: GATE.into(), attempt: 1, unclaimed: false });
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
