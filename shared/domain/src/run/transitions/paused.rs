//! Runs that are paused, and stand as a column of their tables says; and the events that a row of these stands for.

use super::stage::{GATE, NOW, OTHER, SUBJECT, accept, act, cancel, doing, of, result, run};
use crate::run::{Deed, Event, Run, RunAct, RunDeed};
use crate::{Outcome, Priority};

/// An act on a run.
pub(super) fn run_act(id: &str, deed: RunDeed) -> Event {
    let (id, by, why) = (id.into(), "ann".into(), "the disk is full".into());
    Event::RunAct(Box::new(RunAct { id, deed, by, why }))
}

/// A run that is paused, in which the subject stands as the column says.
pub(super) fn subject_in(column: &str) -> Run {
    let policy = "retry: {limit: 1}";
    let (mut run, _) = match column {
        "fanned" => run("foreach: {items: [1, 2], max_parallel: 1}", None),
        "locks" => run(&format!("{policy}, locks: [db]"), None),
        "asking" => doing("uses: approval", "continue_on_error: true", None),
        "child" => doing("uses: workflow, with: {name: part}", policy, None),
        _ => run(policy, None),
    };
    let gate = result(GATE, 1, Outcome::Succeeded);
    let pause = run_act("pause", RunDeed::Pause);
    match column {
        "waiting" => accept(&mut run, pause),
        "ready" => [pause, gate].into_iter().for_each(|event| accept(&mut run, event)),
        "held" => {
            let taken_back = Event::Revoked { unit: SUBJECT.into(), attempt: 1, unclaimed: true };
            [gate, pause, taken_back].into_iter().for_each(|event| accept(&mut run, event));
        }
        _ => [gate, pause].into_iter().for_each(|event| accept(&mut run, event)),
    }
    run
}

/// Runs that stand as a column of the table of pauses says.
pub(super) fn run_in(column: &str) -> Run {
    let pause = run_act("pause", RunDeed::Pause);
    let (mut run, events) = match column {
        "waiting" => (run("", Some(NOW + std::time::Duration::from_secs(1))).0, vec![]),
        "running" => (run("", None).0, vec![]),
        "stopping" => (run("", None).0, vec![cancel()]),
        "paused: waiting" => (run("", Some(NOW + std::time::Duration::from_secs(1))).0, vec![pause]),
        "paused: its turn" => {
            (of("name: w\nconcurrency: 1\nsteps: [{name: only, run: x}]\n", None).0, vec![pause])
        }
        "paused: running" => (run("", None).0, vec![pause]),
        "paused: hooks" => {
            let source = "name: w\nsteps: [{name: only, run: x}]\non_finish: [{name: tell, run: x}]\n";
            (of(source, None).0, vec![pause, result(GATE, 1, Outcome::Succeeded)])
        }
        "ended" => {
            let ends = [OTHER, GATE, SUBJECT].map(|step| result(step, 1, Outcome::Succeeded));
            (run("", None).0, ends.to_vec())
        }
        _ => panic!("no column {column}"),
    };
    events.into_iter().for_each(|event| accept(&mut run, event));
    run
}

/// The event that a row of the table of paused steps stands for.
pub(super) fn step_event(row: &str) -> Event {
    let (unit, attempt) = (SUBJECT.into(), 1);
    match row {
        "result: succeeded" => result(SUBJECT, 1, Outcome::Succeeded),
        "result, retries left" => result(SUBJECT, 1, Outcome::Failed),
        "lost" => Event::Lost { unit, attempt, reason: "its host is gone".into() },
        "revoked" => Event::Revoked { unit, attempt, unclaimed: false },
        "revoked, nobody had claimed it" => Event::Revoked { unit, attempt, unclaimed: true },
        "retry due" => Event::RetryDue { unit },
        "act: retry" => act(SUBJECT, 1, Deed::Retry),
        "act: skip" => act(SUBJECT, 1, Deed::Skip),
        "act on what had no attempt: skip" => act(SUBJECT, 0, Deed::Skip),
        "granted" => Event::Granted { unit, attempt, locks: vec!["db".parse().unwrap()], token: 7 },
        "resume" => run_act("resume", RunDeed::Resume),
        _ => panic!("no row {row}"),
    }
}

/// The event that a row of the table of pauses stands for.
pub(super) fn run_event(row: &str) -> Event {
    match row {
        "pause" => run_act("1", RunDeed::Pause),
        "the same pause" => run_act("pause", RunDeed::Pause),
        "resume" => run_act("1", RunDeed::Resume),
        "priority" => run_act("1", RunDeed::Priority { priority: Priority::P0 }),
        "the same priority" => run_act("1", RunDeed::Priority { priority: Priority::P2 }),
        "start due" => Event::StartDue,
        "slot granted" => Event::SlotGranted { slots: "@w".parse().unwrap() },
        "cancel" => cancel(),
        "timed out" => Event::TimedOut,
        "cancel check due" => Event::CancelCheckDue,
        _ => panic!("no row {row}"),
    }
}
