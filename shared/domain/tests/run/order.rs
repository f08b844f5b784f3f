//! Which step starts when, and what becomes of the run.

use std::sync::Arc;

use millrace_domain::Outcome;
use millrace_domain::run::{Event, Refusal, Run, RunState, advance};

use crate::fleet::{CREATED, Fleet};

const THREE: &str = "{name: w, steps: [{name: a, run: x}, {name: b, run: x}, {name: c, run: x}]}";

const DIAMOND: &str = "
name: diamond
steps:
  - {name: a, run: x}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [a]}
  - {name: d, run: x, depends_on: [b, c]}
";

#[test]
fn steps_that_wait_for_each_other_run_one_after_the_other() {
    let mut fleet = Fleet::of(
        "{name: w, steps: [{name: a, run: x}, {name: b, run: x, depends_on: [a]}, {name: c, run: x, depends_on: [b]}]}",
    );
    for (step, next) in [("a", "b 1"), ("b", "c 1")] {
        assert_eq!(fleet.sent(), [format!("{step} 1")]);
        fleet.end(step, Outcome::Succeeded);
        assert_eq!(
            (fleet.state(), fleet.tasks.last().map(|t| format!("{} 1", t.step))),
            ("running", Some(next.into()))
        );
    }
    fleet.end("c", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.ends, fleet.run.head.reason.as_deref()), ("succeeded", 1, None));
    assert_eq!(fleet.run.head.ended_at, Some(fleet.now));
}

#[test]
fn steps_that_wait_for_nobody_start_together() {
    let mut fleet = Fleet::of("{name: w, steps: [{name: a, run: x}, {name: b, run: x}, {name: c, run: x}]}");
    assert_eq!(fleet.sent(), ["a 1", "b 1", "c 1"]);
    for step in ["c", "a", "b"] {
        assert_eq!(fleet.state(), "running");
        fleet.end(step, Outcome::Succeeded);
    }
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn a_join_starts_once_when_the_last_of_its_dependencies_has_succeeded() {
    for order in [["b", "c"], ["c", "b"]] {
        let mut fleet = Fleet::of(DIAMOND);
        fleet.end("a", Outcome::Succeeded);
        assert_eq!(fleet.sent(), ["a 1", "b 1", "c 1"]);
        fleet.end(order[0], Outcome::Succeeded);
        assert_eq!((fleet.sent().len(), fleet.run.tally(fleet.index("d")).open), (0, 1));
        fleet.end(order[1], Outcome::Succeeded);
        assert_eq!(fleet.sent(), ["d 1"]);
    }
}

#[test]
fn a_result_that_comes_twice_counts_once() {
    let mut fleet = Fleet::of(DIAMOND);
    let first = fleet.result(fleet.index("a"), Outcome::Succeeded);
    fleet.apply(Event::Result(first.clone())).unwrap();
    assert_eq!(
        fleet.apply(Event::Result(first)),
        Err(Refusal::StaleAttempt { unit: fleet.index("a").into(), attempt: 1 })
    );
    let second = fleet.result(fleet.index("b"), Outcome::Succeeded);
    fleet.apply(Event::Result(second.clone())).unwrap();
    fleet.apply(Event::Result(second)).unwrap_err();
    assert_eq!(fleet.stands("d"), "waiting");
}

#[test]
fn a_failure_skips_what_waits_for_it_and_other_branches_go_on() {
    let mut fleet = Fleet::of(
        "
name: two_branches
steps:
  - {name: a, run: x}
  - {name: a2, run: x, depends_on: [a]}
  - {name: a3, run: x, depends_on: [a2]}
  - {name: b, run: x}
  - {name: b2, run: x, depends_on: [b]}
  - {name: both, run: x, depends_on: [a3, b2]}
",
    );
    fleet.end("a", Outcome::Failed);
    assert_eq!(["a2", "a3", "both"].map(|step| fleet.stands(step)), ["skipped"; 3]);
    assert_eq!(fleet.ended("a2").reason.as_deref(), Some("step a did not succeed"));
    assert_eq!(fleet.ended("a3").reason.as_deref(), Some("step a2 did not succeed"));
    assert_eq!(fleet.state(), "running");
    fleet.end("b", Outcome::Succeeded);
    fleet.end("b2", Outcome::Succeeded);
    assert_eq!(fleet.ended("both").reason.as_deref(), Some("step a3 did not succeed"));
    assert_eq!((fleet.state(), fleet.reason()), ("failed", "step a: failed"));
    assert_eq!(fleet.sent(), ["a 1", "b 1", "b2 1"]);
}

#[test]
fn a_join_of_a_failure_and_a_success_is_skipped_whichever_comes_first() {
    for order in [
        [("b", Outcome::Failed), ("c", Outcome::Succeeded)],
        [("c", Outcome::Succeeded), ("b", Outcome::Failed)],
    ] {
        let mut fleet = Fleet::of(DIAMOND);
        fleet.end("a", Outcome::Succeeded);
        for (step, outcome) in order {
            fleet.end(step, outcome);
        }
        assert_eq!((fleet.stands("d"), fleet.state()), ("skipped", "failed"));
    }
}

#[test]
fn a_run_ends_as_the_first_of_its_steps_that_did_not_succeed() {
    let outcomes = [
        (Outcome::TimedOut, RunState::TimedOut, "step b: timed_out"),
        (Outcome::Cancelled, RunState::Cancelled, "step b: cancelled"),
        (Outcome::Failed, RunState::Failed, "step b: failed"),
    ];
    for (first, state, reason) in outcomes {
        let mut fleet =
            Fleet::of("{name: w, steps: [{name: a, run: x}, {name: b, run: x}, {name: c, run: x}]}");
        fleet.end("c", Outcome::Succeeded);
        fleet.end("b", first);
        assert_eq!(fleet.run.head.verdict, Some(first));
        fleet.end("a", Outcome::Failed);
        assert_eq!((fleet.run.head.state, fleet.reason()), (state, reason));
    }
}

/// Three steps of a run as the store has them, of which `a` goes on: what they make of its end.
fn ends_as(head: &str, b: &str, c: &str) -> (RunState, String) {
    let fleet = Fleet::of(THREE);
    let records = [(fleet.index("b").into(), b.to_owned()), (fleet.index("c").into(), c.to_owned())];
    let attempts = [(fleet.index("a").into(), 1, CREATED)];
    let (workflow, spec) = (Arc::clone(&fleet.run.workflow), Arc::clone(&fleet.run.spec));
    let mut run = Run::restore(fleet.run.id, workflow, spec, head, &records, &attempts).unwrap();
    let result = fleet.result(fleet.index("a"), Outcome::Succeeded);
    advance(&mut run, Event::Result(result), CREATED).unwrap();
    (run.head.state, run.head.reason.unwrap_or_default())
}

#[test]
fn a_run_that_is_loaded_ends_by_the_order_of_its_ends_and_not_by_what_its_head_notes() {
    let failed = r#"{"s":"ended","outcome":"failed","attempts":{"attempt":1},"ended_at":9,"advance":2}"#;
    let timed_out =
        r#"{"s":"ended","outcome":"timed_out","attempts":{"attempt":1},"ended_at":3,"advance":5}"#;
    for note in ["", r#","verdict":"cancelled","reason":"step d: who knows""#] {
        let head = format!(r#"{{"state":"running","workflow":"w","created_at":1,"started_at":1{note}}}"#);
        assert_eq!(
            ends_as(&head, timed_out, failed),
            (RunState::Failed, "step c: failed".to_owned()),
            "{note}"
        );
        assert_eq!(
            ends_as(&head, failed, timed_out),
            (RunState::Failed, "step b: failed".to_owned()),
            "{note}"
        );
    }
}

/// Neither the places of the steps nor their workers' clocks tell the order, so that what 0.1 noted is all there is.
#[test]
fn a_run_that_version_0_1_began_ends_as_its_head_notes() {
    let head = r#"{"state":"running","workflow":"w","created_at":1,"started_at":1,"verdict":"timed_out",
        "reason":"step c: it took 5s"}"#;
    let failed = r#"{"s":"ended","outcome":"failed","attempts":{"attempt":1},"ended_at":3}"#;
    let timed_out =
        r#"{"s":"ended","outcome":"timed_out","attempts":{"attempt":1},"ended_at":9,"reason":"it took 5s"}"#;
    let said = (RunState::TimedOut, "step c: it took 5s".to_owned());
    assert_eq!(ends_as(head, failed, timed_out), said);
    // We had ended one of them, before or after.
    let ours = r#"{"s":"ended","outcome":"failed","attempts":{"attempt":1},"ended_at":3,"advance":4}"#;
    assert_eq!(ends_as(head, ours, timed_out), said);
    let ours = r#"{"s":"ended","outcome":"timed_out","attempts":{"attempt":1},"ended_at":9,"reason":"it took 5s",
        "advance":4}"#;
    assert_eq!(ends_as(head, failed, ours), said);
}

#[test]
fn a_single_step_that_timed_out_gives_a_timed_out_run() {
    let mut fleet = Fleet::of("{name: w, steps: [{name: a, run: x, timeout: 5s}]}");
    assert_eq!(fleet.task("a").timeout_ms, Some(5000));
    fleet.end("a", Outcome::TimedOut);
    assert_eq!((fleet.state(), fleet.stands("a")), ("timed_out", "timed_out"));
}

#[test]
fn a_worker_cannot_skip_a_step_that_it_started() {
    let mut fleet = Fleet::of("{name: w, steps: [{name: a, run: x}, {name: b, run: x, depends_on: [a]}]}");
    fleet.end("a", Outcome::Skipped);
    assert_eq!((fleet.state(), fleet.stands("a"), fleet.stands("b")), ("failed", "failed", "skipped"));
    assert_eq!(fleet.retired, [(fleet.index("a").into(), 1, Outcome::Failed)]);
}

/// A newer version may have ended it so.
#[test]
fn a_run_that_was_skipped_has_ended_and_stays_so() {
    let head = r#"{"state":"skipped","workflow":"w","created_at":1,"ended_at":2,"reason":"it ran already"}"#;
    let fleet = Fleet::of(THREE);
    let skipped = r#"{"s":"ended","outcome":"skipped","attempts":{"attempt":0},"ended_at":2}"#;
    let records: Vec<_> = ["a", "b", "c"].map(|step| (fleet.index(step).into(), skipped.to_owned())).into();
    let (workflow, spec) = (Arc::clone(&fleet.run.workflow), Arc::clone(&fleet.run.spec));
    let mut run = Run::restore(fleet.run.id, workflow, spec, head, &records, &[]).unwrap();
    assert_eq!((run.head.state, run.open()), (RunState::Skipped, 0));
    assert!(run.head.state.is_terminal());
    let cancel = Event::Cancel { reason: "too late".to_owned() };
    assert_eq!(advance(&mut run, cancel, CREATED).unwrap_err(), Refusal::RunEnded(run.id));
    assert_eq!(run.head_record(), head);
}
