//! Advances are numbered: each one that changes a run has the next number in it, whoever owns the run.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::run::{Event, Run, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex, Timestamp};

use crate::fleet::{CREATED, Fleet};

const CHAIN: &str = "
name: chain
steps:
  - {name: a, run: x, retry: {limit: 1}}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [b]}
";

#[test]
fn each_end_has_the_number_of_the_advance_that_brought_it_about() {
    let mut fleet = Fleet::of(CHAIN);
    assert_eq!(fleet.run.last_advance(), 1, "its creation is the first");
    fleet.end("a", Outcome::Succeeded);
    fleet.end("b", Outcome::Failed);
    assert_eq!(["a", "b", "c"].map(|step| fleet.ended(step).advance), [2, 3, 3]);
    assert_eq!((fleet.run.last_advance(), fleet.run.head.advance), (3, 3));
}

#[test]
fn a_success_in_the_middle_of_a_run_does_not_write_its_head_for_the_number() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.end("a", Outcome::Succeeded);
    assert_eq!((fleet.run.last_advance(), fleet.run.head.advance), (2, 1));
    assert_eq!(fleet.load().last_advance(), 2, "and yet a reload knows it");
}

#[test]
fn retries_and_losses_are_counted_and_a_reload_knows_it() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.end("a", Outcome::Failed);
    fleet.pass(Duration::from_secs(2));
    fleet.fire();
    fleet.lose("a");
    assert_eq!((fleet.load().last_advance(), fleet.run.head.advance), (4, 1));
    fleet.end("a", Outcome::Succeeded);
    assert_eq!((fleet.ended("a").advance, fleet.ended("a").attempts.advance), (5, 4));
}

#[test]
fn what_changes_nothing_has_no_number() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.apply(Event::StartDue).unwrap_err();
    assert_eq!(fleet.run.last_advance(), 1);
    fleet.cancel();
    assert_eq!(fleet.run.last_advance(), 2);
    fleet.fire();
    assert_eq!(fleet.run.last_advance(), 2, "its workers were told again, and the run is as it was");
}

#[test]
fn when_a_step_ended_is_its_workers_word_and_when_that_was_applied_its_owners() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.pass(Duration::from_secs(5));
    let result = fleet.result(StepIndex(0), Outcome::Succeeded);
    fleet.apply(Event::Result(TaskResult { ended_at: CREATED, ..result })).unwrap();
    let end = fleet.ended("a");
    assert_eq!((end.ended_at, end.applied_at), (CREATED, Some(CREATED + Duration::from_secs(5))));
}

/// A run as the store has it: the record of step `a`, and the second step dispatched.
fn stored(fleet: &Fleet, head: &str, record: &str) -> Run {
    let (workflow, spec) = (Arc::clone(&fleet.run.workflow), Arc::clone(&fleet.run.spec));
    let attempts = [(StepIndex(1).into(), 1, Timestamp::default())];
    let records = [(StepIndex(0).into(), record.to_owned())];
    Run::restore(fleet.run.id, workflow, spec, head, &records, &attempts).unwrap()
}

#[test]
fn a_run_of_version_0_1_is_counted_from_where_it_stands() {
    let fleet = Fleet::of(CHAIN);
    let head = r#"{"state":"running","workflow":"chain","created_at":1,"started_at":1}"#;
    let end = r#"{"s":"ended","outcome":"succeeded","attempts":{"attempt":1},"ended_at":5}"#;
    let mut run = stored(&fleet, head, end);
    assert_eq!(run.last_advance(), 0);
    assert!(matches!(&run.steps[0], StepState::Ended(end) if end.applied_at.is_none()));
    let result = TaskResult { attempt: 1, ..fleet.result(StepIndex(1), Outcome::Succeeded) };
    millrace_domain::run::advance(&mut run, Event::Result(result), fleet.now).unwrap();
    assert_eq!(run.last_advance(), 1);
}

#[test]
fn a_head_that_version_0_1_wrote_in_between_does_not_set_the_count_back() {
    let fleet = Fleet::of(CHAIN);
    let head = r#"{"state":"running","workflow":"chain","created_at":1,"started_at":1}"#;
    let end = r#"{"s":"ended","outcome":"succeeded","attempts":{"attempt":1},"ended_at":5,"advance":7}"#;
    assert_eq!(stored(&fleet, head, end).last_advance(), 7);
    let head = r#"{"state":"running","workflow":"chain","created_at":1,"started_at":1,"advance":9}"#;
    assert_eq!(stored(&fleet, head, end).last_advance(), 9);
}
