//! Runs that somebody pauses, resumes, or gives another priority.

use millrace_domain::run::{Deed, Event, Refusal, RunAct, RunDeed, RunState, RunTimer, StepState};
use millrace_domain::{Outcome, Priority, StepIndex, Unit};
use serde_json::json;

use crate::fleet::Fleet;
use crate::slots::slots;

/// An act on a run, which is the nth.
pub(crate) fn run_act(n: usize, deed: RunDeed) -> Event {
    let (id, by, why) = (format!("act-{n}"), "ann".to_owned(), "the disk is full".to_owned());
    Event::RunAct(Box::new(RunAct { id, deed, by, why }))
}

impl Fleet {
    fn steer(&mut self, deed: RunDeed) -> Result<(), Refusal> {
        self.apply(run_act(self.history.len(), deed))
    }

    pub(crate) fn pause(&mut self) {
        self.steer(RunDeed::Pause).unwrap();
    }

    pub(crate) fn resume(&mut self) -> Result<(), Refusal> {
        self.steer(RunDeed::Resume)
    }

    /// The current attempt of a step is taken back, which nobody had claimed.
    fn take_back(&mut self, name: &str) {
        let unit = Unit::from(self.index(name));
        let attempt = self.current[&unit];
        self.apply(Event::Revoked { unit, attempt, unclaimed: true }).unwrap();
    }

    fn is_held(&self, name: &str) -> bool {
        matches!(self.run.steps[self.index(name).at()], StepState::Backoff { .. })
            && !self.current.contains_key(&Unit::from(self.index(name)))
    }

    fn attempts(&self, name: &str) -> (u32, u32, u32) {
        match &self.run.steps[self.index(name).at()] {
            StepState::Dispatched(attempts) | StepState::Backoff { attempts, .. } => {
                (attempts.attempt, attempts.retries, attempts.lost)
            }
            other => panic!("{name} is {other:?}"),
        }
    }
}

const TWO: &str = "name: w\nsteps: [{name: a, run: x, retry: {limit: 1, delay: 10s}}, {name: b, run: x, depends_on: [a]}]\n";

#[test]
fn a_step_that_becomes_ready_in_a_paused_run_starts_when_that_is_resumed() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    fleet.end("a", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.tasks.len()), ("running", 1));
    assert_eq!(fleet.timers.keys().collect::<Vec<_>>(), [&RunTimer::CancelCheck]);
    fleet.resume().unwrap();
    assert_eq!((fleet.tasks.len(), fleet.timers.len()), (2, 0));
    fleet.end("b", Outcome::Succeeded);
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn what_is_queued_is_taken_back_without_counting_as_a_retry_or_a_loss() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x, at_most_once: true}]\n");
    fleet.pause();
    let a = Unit::from(fleet.index("a"));
    assert_eq!(fleet.take_backs, [[(a, 1)]]);
    fleet.take_back("a");
    assert!(fleet.is_held("a"));
    fleet.resume().unwrap();
    assert_eq!(fleet.attempts("a"), (2, 0, 0));
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn an_attempt_that_is_found_to_be_taken_back_after_the_resume_gets_another_at_once() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    fleet.resume().unwrap();
    fleet.take_back("a");
    assert_eq!(fleet.attempts("a"), (2, 0, 0));
}

#[test]
fn an_attempt_that_somebody_runs_goes_on_and_its_retry_waits_for_the_resume() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    fleet.end("a", Outcome::Failed);
    // The time of the retry comes, and nothing begins by it.
    let due = fleet.timers[&RunTimer::Retry(fleet.index("a").into())];
    fleet.now = due;
    assert!(fleet.fire_timer(RunTimer::Retry(fleet.index("a").into())).is_err());
    assert!(fleet.is_held("a"));
    fleet.resume().unwrap();
    assert_eq!(fleet.attempts("a"), (2, 1, 0));
}

#[test]
fn a_retry_that_is_not_due_when_the_run_is_resumed_waits_for_its_time() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    fleet.end("a", Outcome::Failed);
    fleet.resume().unwrap();
    assert_eq!(fleet.tasks.len(), 1);
    assert_eq!(fleet.fire(), RunTimer::Retry(fleet.index("a").into()));
    assert_eq!(fleet.tasks.len(), 2);
}

#[test]
fn an_attempt_that_is_lost_in_a_paused_run_is_counted_and_its_next_one_held() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    fleet.lose("a");
    assert!(fleet.is_held("a"));
    fleet.resume().unwrap();
    assert_eq!(fleet.attempts("a"), (2, 0, 1));
}

#[test]
fn no_item_begins_in_a_paused_run_and_all_that_have_room_do_when_it_is_resumed() {
    let mut fleet =
        Fleet::of("name: w\nsteps: [{name: a, run: x, foreach: {items: [1, 2, 3, 4], max_parallel: 2}}]\n");
    fleet.pause();
    let item = |fleet: &Fleet, n| fleet.result(fleet.item("a", n), Outcome::Succeeded);
    for n in [0, 1] {
        let result = item(&fleet, n);
        fleet.apply(Event::Result(result)).unwrap();
    }
    assert_eq!(fleet.tasks.len(), 2);
    fleet.resume().unwrap();
    assert_eq!(fleet.tasks.len(), 4);
}

#[test]
fn what_waits_for_locks_gives_back_what_it_has_asked_for_and_asks_anew() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x, locks: [db]}]\n");
    let a = StepIndex(0);
    let first = fleet.locks.open[&a.into()].clone();
    fleet.pause();
    assert!(!fleet.locks.open.contains_key(&a.into()), "it is given back");
    fleet.resume().unwrap();
    let again = fleet.locks.open[&a.into()].clone();
    assert!(again.asker.attempt > first.asker.attempt, "the grant of the first may be on its way");
    let late = Event::Granted {
        unit: a.into(),
        attempt: first.asker.attempt,
        locks: vec!["db".parse().unwrap()],
        token: 7,
    };
    assert!(fleet.apply(late).is_err());
    fleet.grant(a, 9).unwrap();
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn what_is_queued_with_its_locks_gives_them_back_when_it_is_taken_back() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x, locks: [db]}]\n");
    let a = StepIndex(0);
    fleet.grant(a, 7).unwrap();
    fleet.pause();
    fleet.take_back("a");
    assert!(fleet.run.holds_of(a.into()).is_none());
    fleet.resume().unwrap();
    assert!(fleet.locks.open.contains_key(&a.into()));
}

#[test]
fn what_people_say_counts_in_a_paused_run_and_what_follows_waits() {
    let mut fleet =
        Fleet::of("name: w\nsteps: [{name: a, uses: approval}, {name: b, run: x, depends_on: [a]}]\n");
    fleet.pause();
    let act = millrace_domain::run::Act {
        id: "yes".to_owned(),
        unit: fleet.index("a").into(),
        attempt: 0,
        deed: Deed::Approve,
        by: "bob".to_owned(),
        why: String::new(),
    };
    fleet.apply(Event::Act(Box::new(act))).unwrap();
    assert_eq!((fleet.ended("a").outcome, fleet.tasks.len()), (Outcome::Succeeded, 0));
    fleet.resume().unwrap();
    assert_eq!(fleet.tasks.len(), 1);
}

#[test]
fn a_cancel_ends_a_paused_run_with_its_hooks() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x}]\non_finish: [{name: told, run: x}]\n");
    fleet.pause();
    fleet.take_back("a");
    fleet.cancel();
    assert_eq!((fleet.tasks.len(), fleet.run.head.paused.is_none()), (2, true));
    fleet.end("told", Outcome::Succeeded);
    assert_eq!(fleet.state(), "cancelled");
}

#[test]
fn a_run_that_waits_for_its_turn_keeps_its_place_and_starts_when_it_is_resumed() {
    let mut fleet = Fleet::of("name: w\nconcurrency: 1\nsteps: [{name: a, run: x}]\n");
    fleet.pause();
    fleet.apply(Event::SlotGranted { slots: slots() }).unwrap();
    assert_eq!((fleet.run.head.state, fleet.tasks.len()), (RunState::Waiting, 0));
    fleet.resume().unwrap();
    assert_eq!((fleet.run.head.state, fleet.tasks.len()), (RunState::Running, 1));
}

#[test]
fn a_run_that_is_paused_is_looked_at_while_something_is_with_the_fleet() {
    let mut fleet = Fleet::of(TWO);
    fleet.pause();
    assert_eq!(fleet.fire(), RunTimer::CancelCheck);
    assert_eq!(fleet.take_backs.len(), 2);
    fleet.end("a", Outcome::Succeeded);
    fleet.fire_timer(RunTimer::CancelCheck).unwrap_err();
    assert!(fleet.timers.is_empty(), "{:?}", fleet.timers);
}

#[test]
fn an_act_that_comes_again_changes_nothing_and_another_is_told_how_the_run_stands() {
    let mut fleet = Fleet::of(TWO);
    let pause = run_act(1, RunDeed::Pause);
    fleet.apply(pause.clone()).unwrap();
    fleet.apply(pause).unwrap();
    let Event::RunAct(act) = run_act(2, RunDeed::Pause) else { unreachable!("it is an act") };
    let refusal = fleet.apply(Event::RunAct(act.clone())).unwrap_err();
    assert_eq!(
        fleet.run.why_run_act_refused(&act, &refusal),
        "the run cannot be paused: it is paused by ann since 2026-03-01T23:30:00.000Z: the disk is full already"
    );
    assert_eq!(fleet.apply(run_act(1, RunDeed::Resume)), Err(Refusal::AnotherAct("act-1".to_owned())));
}

#[test]
fn a_priority_is_that_of_what_is_dispatched_from_then_on_and_of_what_was_queued() {
    let mut fleet = Fleet::of(TWO);
    fleet.steer(RunDeed::Priority { priority: Priority::P0 }).unwrap();
    fleet.take_back("a");
    fleet.end("a", Outcome::Succeeded);
    let seen: Vec<_> = fleet.tasks.iter().map(|task| task.priority).collect();
    assert_eq!(seen, [Priority::P2, Priority::P0, Priority::P0]);
    assert_eq!(fleet.load().priority(), Priority::P0);
}

#[test]
fn what_waits_for_locks_asks_in_place_of_its_first_ask_with_the_new_priority() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x, locks: [db]}]\n");
    let first = fleet.locks.open[&StepIndex(0).into()].clone();
    fleet.steer(RunDeed::Priority { priority: Priority::P0 }).unwrap();
    let again = fleet.locks.open[&StepIndex(0).into()].clone();
    assert_eq!((again.priority, again.since), (Priority::P0, first.since));
    assert_eq!(again.asker.attempt, first.asker.attempt + 1);
    fleet.grant(StepIndex(0), 7).unwrap();
    fleet.give("a", &json!({}));
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn a_run_that_was_never_paused_says_nothing_of_it() {
    let fleet = Fleet::of(TWO);
    let head = fleet.run.head_record();
    assert!(!head.contains("paused") && !head.contains("given_priority"), "{head}");
}
