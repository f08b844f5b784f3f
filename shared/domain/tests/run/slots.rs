//! Runs of a workflow that allows only so many at a time: they ask for a slot before they start, have it until they have
//! ended, and give it back in every way in which that can be.

use std::time::Duration;

use millrace_domain::lock::{Ask, AtLimit, Entry, Holder, LockName, OnFull};
use millrace_domain::message::{Inbox, InboxBody};
use millrace_domain::run::{Ancestor, Event, Parent, Refusal, RunState, RunTimer};
use millrace_domain::{Outcome, RunId, StepIndex, TaskId, WorkflowId};
use serde_json::json;

use crate::fleet::{Fleet, Order};

/// What a run has asked for of slots, and released.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// Every ask, in order.
    pub(crate) asks: Vec<Ask>,
    /// How often the slot was released.
    pub(crate) released: u32,
}

impl Slots {
    pub(crate) fn ask(&mut self, ask: Ask) {
        if let Some(before) = self.asks.last() {
            // Somebody may have given the run another priority.
            let before = Ask { priority: ask.priority, ..before.clone() };
            assert_eq!(before, ask, "what is asked for again is what was asked for");
        }
        self.asks.push(ask);
    }

    pub(crate) fn release(&mut self) {
        self.released += 1;
        assert_eq!(self.released, 1, "a slot is released once");
    }
}

/// A run asks for a slot before it starts, and asks again.
pub(crate) fn check_slot_ask(fleet: &Fleet, ask: &Ask) {
    let run = &fleet.run;
    assert_eq!((run.head.state, run.head.started_at), (RunState::Waiting, None), "it asks after its start");
    assert_eq!(
        run.awaited_slot().map(|slot| (&slot.name, slot.since)),
        Some((&ask.wants[0].lock, ask.since))
    );
}

const ONE: &str =
    "name: w\nconcurrency: 1\ntimeout: 1h\nsteps: [{name: a, run: x}]\non_finish: [{name: tell, run: x}]\n";

const A: StepIndex = StepIndex(0);

pub(crate) fn slots() -> LockName {
    "@w".parse().unwrap()
}

impl Fleet {
    /// The slot that the run has asked for is granted.
    pub(crate) fn grant_slot(&mut self) -> Result<(), Refusal> {
        self.apply(Event::SlotGranted { slots: self.slots.asks[0].wants[0].lock.clone() })
    }

    fn refuse_slot(&mut self, outcome: Outcome) -> Result<(), Refusal> {
        self.apply(Event::SlotRefused { outcome, reason: "run 7 is under way".into() })
    }
}

#[test]
fn a_run_waits_for_its_slot_and_gives_it_back_when_its_hooks_have_ended() {
    let mut fleet = Fleet::of(ONE);
    assert_eq!((fleet.state(), fleet.sent().len()), ("waiting", 0));
    assert_eq!(fleet.reason(), "waits for its turn: 1 run of w may be under way at a time");
    let ask = &fleet.slots.asks[0];
    assert_eq!((ask.wants[0].lock.as_str(), ask.wants[0].slots, ask.step.as_ref()), ("@w", 1, None));
    assert_eq!(ask.at_limit, Some(AtLimit::Queue { max_queued: None, on_full: OnFull::Reject }));
    assert!(!fleet.timers.contains_key(&RunTimer::Timeout), "its time has not begun");
    fleet.grant_slot().unwrap();
    assert_eq!((fleet.sent(), fleet.state(), fleet.reason()), (vec!["a 1".to_owned()], "running", ""));
    assert!(!fleet.timers.contains_key(&RunTimer::Start), "it asks no more");
    fleet.grant_slot().unwrap();
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.slots.released, 0, "its hook runs");
    fleet.end("tell", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.slots.released), ("succeeded", 1));
}

#[test]
fn a_run_without_a_limit_asks_for_nothing_and_refuses_what_it_did_not_ask_for() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x}]\n");
    assert!(fleet.slots.asks.is_empty() && fleet.run.head.slot.is_none());
    assert_eq!(fleet.apply(Event::SlotGranted { slots: slots() }), Err(Refusal::RunNotWaiting));
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.slots.released, 0);
}

#[test]
fn a_run_that_is_not_granted_its_slot_asks_again_and_again() {
    let mut fleet = Fleet::of(ONE);
    for (asked, wait) in [(2, 30), (3, 30), (4, 30)] {
        fleet.now = fleet.now + Duration::from_secs(30);
        fleet.apply(Event::StartDue).unwrap();
        assert_eq!(fleet.slots.asks.len(), asked);
        assert_eq!(fleet.timers[&RunTimer::Start], fleet.now + Duration::from_secs(wait));
    }
    fleet.now = fleet.now + Duration::from_secs(4 * 3600);
    fleet.apply(Event::StartDue).unwrap();
    assert_eq!(
        fleet.timers[&RunTimer::Start],
        fleet.now + Duration::from_secs(600),
        "at least every ten minutes"
    );
    assert_eq!(fleet.state(), "waiting");
}

#[test]
fn a_run_that_is_to_start_later_asks_when_that_is_due() {
    let at = Fleet::of(ONE).now + Duration::from_secs(60);
    let mut fleet = Fleet::start(&Order { start_at: Some(at), ..Order::of(ONE) });
    assert!(fleet.slots.asks.is_empty());
    fleet.now = at;
    fleet.apply(Event::StartDue).unwrap();
    assert_eq!((fleet.slots.asks.len(), fleet.slots.asks[0].since), (1, at));
    fleet.grant_slot().unwrap();
    assert_eq!(fleet.run.head.started_at, Some(at));
}

#[test]
fn a_run_that_cannot_have_a_slot_ends_as_it_is_told_and_none_of_its_steps_and_hooks_starts() {
    for (outcome, state, step) in [
        (Outcome::Skipped, "skipped", "skipped"),
        (Outcome::Failed, "failed", "cancelled"),
        (Outcome::Cancelled, "cancelled", "cancelled"),
    ] {
        let mut fleet = Fleet::of(ONE);
        fleet.refuse_slot(outcome).unwrap();
        assert_eq!((fleet.state(), fleet.reason()), (state, "run 7 is under way"));
        assert_eq!((fleet.stands("a"), fleet.stands("tell")), (step, "skipped"));
        assert_eq!((fleet.sent().len(), fleet.slots.released, fleet.ends), (0, 0, 1));
    }
    let mut fleet = Fleet::of(ONE);
    fleet.grant_slot().unwrap();
    assert_eq!(fleet.refuse_slot(Outcome::Skipped), Err(Refusal::RunNotWaiting), "it has begun");
}

#[test]
fn a_run_that_is_refused_after_it_has_asked_again_takes_that_back() {
    let mut fleet = Fleet::of(ONE);
    fleet.pass(Duration::from_secs(30));
    fleet.apply(Event::StartDue).unwrap();
    fleet.refuse_slot(Outcome::Failed).unwrap();
    assert_eq!(
        (fleet.state(), fleet.slots.released),
        ("failed", 1),
        "the second ask may come after the refusal"
    );
}

#[test]
fn a_run_whose_place_another_takes_is_cancelled_but_for_one_whose_hooks_have_their_turn() {
    let displaced = || Event::Displaced { slots: slots(), reason: "replaced by run 8".into() };
    let mut fleet = Fleet::of(ONE);
    fleet.grant_slot().unwrap();
    fleet.apply(displaced()).unwrap();
    assert!(fleet.run.head.is_stopping());
    fleet.apply(displaced()).unwrap();
    fleet.apply(Event::Revoked { unit: A.into(), attempt: 1, unclaimed: false }).unwrap();
    assert!(!fleet.run.head.hooks_stopped, "it is told so once more, and its hooks go on");
    fleet.end("tell", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.reason(), fleet.slots.released), ("cancelled", "replaced by run 8", 1));

    let mut fleet = Fleet::of(ONE);
    fleet.grant_slot().unwrap();
    fleet.end("a", Outcome::Succeeded);
    fleet.apply(displaced()).unwrap();
    fleet.end("tell", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.slots.released), ("succeeded", 1));

    // Its grant may come after that.
    let mut fleet = Fleet::of(ONE);
    fleet.apply(displaced()).unwrap();
    assert_eq!((fleet.state(), fleet.sent().len(), fleet.slots.released), ("cancelled", 0, 1));
}

#[test]
fn a_run_that_is_cancelled_while_it_waits_takes_back_what_it_has_asked_for() {
    let mut fleet = Fleet::of(ONE);
    fleet.apply(Event::Cancel { reason: "cancelled".into() }).unwrap();
    assert_eq!((fleet.state(), fleet.slots.released, fleet.timers.len()), ("cancelled", 1, 0));
    assert!(fleet.grant_slot().is_err());
}

#[test]
fn a_run_whose_slot_somebody_releases_goes_on_without_it_and_one_that_waits_asks_anew() {
    let taken = || Event::SlotTaken { slots: slots(), by: "ann".into(), why: None };
    let mut fleet = Fleet::of(ONE);
    fleet.apply(taken()).unwrap();
    assert_eq!((fleet.slots.asks.len(), fleet.state()), (2, "waiting"));
    fleet.grant_slot().unwrap();
    fleet.apply(taken()).unwrap();
    assert_eq!(fleet.grant_slot(), Err(Refusal::RunNotWaiting), "it does not want another");
    fleet.end("a", Outcome::Succeeded);
    fleet.end("tell", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.slots.released), ("succeeded", 0));
}

#[test]
fn runs_are_told_apart_by_their_key_and_one_whose_key_cannot_be_told_fails() {
    let source = "name: w\nparams: [{name: region, type: json, default: eu}]\nconcurrency: {limit: 3, key: \"${{ params.region }}\", policy: skip}\nsteps: [{name: a, run: x}]\n";
    let run = |region: serde_json::Value| {
        let params = [("region".to_owned(), region)].into_iter().collect();
        Fleet::start(&Order { params, ..Order::of(source) })
    };
    let fleet = run(json!("us west"));
    let ask = &fleet.slots.asks[0];
    assert_eq!((ask.wants[0].lock.as_str(), ask.wants[0].slots), ("@w:us west", 3));
    assert_eq!(ask.at_limit, Some(AtLimit::Skip));
    assert_eq!(fleet.reason(), "waits for its turn: 3 runs of w with key us west may be under way at a time");
    assert_eq!(run(json!(["a", 1])).slots.asks[0].wants[0].lock.as_str(), "@w:[\"a\",1]");
    for (region, why) in [
        (json!("x".repeat(129)), "`concurrency.key`: a key of 129 bytes: expected at most 128"),
        (json!("a\nb"), "`concurrency.key`: key \"a\\nb\" has control characters, such as line breaks"),
    ] {
        let fleet = run(region);
        assert_eq!((fleet.state(), fleet.reason(), fleet.ends), ("failed", why, 1));
        assert!(fleet.slots.asks.is_empty() && fleet.slots.released == 0);
    }
}

#[test]
fn a_slot_that_is_asked_for_comes_back_from_json_as_it_was() {
    let run = |n: u16| RunId::of_key(&WorkflowId::adhoc(), &format!("above {n}"), 64);
    let above =
        |n, waits| Ancestor { run: run(n), workflow: WorkflowId::adhoc(), unit: Some(A.into()), waits };
    let attempt = TaskId { run: run(1), unit: A.into(), attempt: 1 };
    let ancestors = vec![above(0, false), above(1, true)];
    let parent = Some(Parent { attempt, name: "a".parse().unwrap(), waits: true, ancestors });
    let source = "name: w\nconcurrency: {max_queued: 5, on_full: merge}\nsteps: [{name: a, run: x}]\n";
    let mut fleet = Fleet::start(&Order { parent, ..Order::of(source) });
    let ask = fleet.slots.asks[0].clone();
    assert_eq!(ask.above, [Holder::of_run(run(1))], "only those that wait for it");
    for body in [
        InboxBody::AskLocks { ask: Box::new(ask.clone()) },
        InboxBody::ReleaseLocks { asker: ask.asker, group: slots().group(), used: None },
        InboxBody::SlotGranted { run: run(1), slots: slots() },
    ] {
        let text = serde_json::to_vec(&Inbox::new(body.clone())).unwrap();
        assert_eq!(Inbox::read(&text).unwrap(), Inbox::new(body));
    }
    let entry = Entry { ask, grant: None, nested: true, replaced_by: Some(run(2)) };
    let row = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&row).unwrap(), entry);
    assert_eq!(entry.holder().to_string().parse(), Ok(entry.holder()));
    fleet.grant_slot().unwrap();
    let again = serde_json::from_str(&fleet.run.head_record()).unwrap();
    assert_eq!(fleet.run.head, again);
}
