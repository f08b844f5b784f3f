//! Steps that need locks: they ask before each attempt, have them until it is over, and give them back in every way in which
//! it can be.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::lock::{Ask, Entry, Grant, Holder, Need, Want};
use millrace_domain::message::{Inbox, InboxBody};
use millrace_domain::run::{Ancestor, Attempts, Event, Parent, Refusal, RunTimer};
use millrace_domain::{Epoch, Outcome, PartitionId, RunId, Seq, StepIndex, TaskId, Unit, WorkflowId};
use serde_json::json;

use crate::fleet::{Fleet, Order};
use crate::invariants::rule_holds;

/// What a run has asked for of locks, and released.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    /// Every ask, in order.
    pub(crate) asks: Vec<Ask>,
    /// Every release, in order.
    pub(crate) released: Vec<TaskId>,
    /// What was asked for and not released, by the unit.
    pub(crate) open: BTreeMap<Unit, Ask>,
}

impl Locks {
    pub(crate) fn ask(&mut self, ask: Ask) {
        if let Some(before) = self.open.insert(task_of(&ask).unit, ask.clone()) {
            // That of a later attempt takes the place of it.
            let is_later = before.asker.attempt < ask.asker.attempt;
            assert!(before == ask || is_later, "what is asked for again is what was asked for");
        }
        self.asks.push(ask);
    }

    pub(crate) fn release(&mut self, task: TaskId) {
        let open = self.open.remove(&task.unit);
        assert_eq!(open.as_ref().map(task_of), Some(task), "what was not asked for was released");
        self.released.push(task);
    }
}

/// The attempt for which a step asks.
pub(crate) fn task_of(ask: &Ask) -> TaskId {
    ask.asker.task().unwrap()
}

/// Locks are asked for before an attempt that may be made.
pub(crate) fn check_ask(fleet: &Fleet, ask: &Ask) {
    let (run, unit) = (&fleet.run, task_of(ask).unit);
    assert!(!run.head.is_stopping(), "locks were asked for after a stop");
    assert!(rule_holds(run, unit.step), "its rule does not hold: {unit}");
    let hold = run
        .holds_of(unit)
        .and_then(|holds| holds.locks.as_ref())
        .unwrap_or_else(|| panic!("{unit} asks, and does not know of it"));
    assert_eq!((hold.attempt, hold.token), (ask.asker.attempt, None));
}

/// A unit that waits for locks has asked for them, and asks again.
pub(crate) fn check_locking(fleet: &Fleet, unit: Unit, attempts: &Attempts, stops: bool) {
    assert!(!stops, "{unit} waits for locks, and is given up");
    assert!(fleet.timers.contains_key(&RunTimer::Retry(unit)), "{unit} does not ask again");
    let ask = fleet.locks.open.get(&unit).unwrap_or_else(|| panic!("{unit} has not asked"));
    assert_eq!(ask.asker.attempt, attempts.attempt + 1);
}

impl Fleet {
    /// What was asked for by a unit is granted, with this token.
    pub(crate) fn grant(&mut self, unit: impl Into<Unit>, token: u64) -> Result<(), Refusal> {
        let ask = self.locks.open[&unit.into()].clone();
        self.apply(granted(&ask, token))
    }

    fn token(&self) -> Option<&str> {
        self.tasks.last().unwrap().env.get("MILLRACE_LOCK_TOKEN").map(String::as_str)
    }
}

fn granted(ask: &Ask, token: u64) -> Event {
    let locks = ask.wants.iter().map(|want| want.lock.clone()).collect();
    let TaskId { unit, attempt, .. } = task_of(ask);
    Event::Granted { unit, attempt, locks, token }
}

const ONE: &str = "name: w\nsteps: [{name: a, run: x, locks: [db/primary], retry: {limit: 1, delay: 10s}}]\n";
const A: StepIndex = StepIndex(0);

#[test]
fn a_step_starts_when_its_locks_are_granted_and_gives_them_back_when_it_has_ended() {
    let mut fleet = Fleet::of(
        "name: w\nparams: {db: string}\nsteps: [{name: a, run: x, locks: [{name: \"db/${{ fire.time | length }}\", slots: 3, weight: 2}, db/other]}]\n"
            .replace("params: {db: string}\n", "")
            .as_str(),
    );
    assert_eq!((fleet.stands("a"), fleet.tasks.len()), ("locking", 0));
    let ask = &fleet.locks.asks[0];
    let [first, second] = &ask.wants[..] else { panic!("two locks") };
    assert_eq!((first.slots, first.weight, first.lock.group_name()), (3, 2, "db"));
    assert_eq!(*second, Want::exclusive("db/other".parse().unwrap()));
    fleet.grant(A, 41).unwrap();
    assert_eq!((fleet.stands("a"), fleet.token()), ("dispatched", Some("41")));
    assert!(fleet.locks.released.is_empty());
    fleet.end("a", Outcome::Succeeded);
    assert_eq!((fleet.locks.released.len(), fleet.locks.open.len(), fleet.ends), (1, 0, 1));
}

#[test]
fn an_attempt_that_was_lost_goes_on_with_its_locks_and_one_that_failed_asks_anew() {
    let mut fleet = Fleet::of(ONE);
    fleet.grant(A, 7).unwrap();
    fleet.lose("a");
    assert_eq!((fleet.stands("a"), fleet.token(), fleet.locks.asks.len()), ("dispatched", Some("8"), 1));
    fleet.end("a", Outcome::Failed);
    assert_eq!((fleet.stands("a"), fleet.locks.released[0].attempt), ("backoff", 1));
    fleet.now = fleet.now + Duration::from_secs(10);
    fleet.apply(Event::RetryDue { unit: A.into() }).unwrap();
    assert_eq!((fleet.stands("a"), fleet.locks.asks[1].asker.attempt), ("locking", 3));
    fleet.grant(A, 23).unwrap();
    assert_eq!(fleet.token(), Some("23"));
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.locks.released.len(), 2);
}

#[test]
fn a_grant_that_comes_twice_or_late_starts_nothing() {
    let mut fleet = Fleet::of(ONE);
    let ask = fleet.locks.asks[0].clone();
    fleet.grant(A, 7).unwrap();
    fleet.apply(granted(&ask, 7)).unwrap();
    assert_eq!(fleet.tasks.len(), 1);
    fleet.end("a", Outcome::Failed);
    let refused = fleet.apply(granted(&ask, 7));
    assert_eq!(refused, Err(Refusal::StaleAttempt { unit: A.into(), attempt: 1 }));
}

#[test]
fn locks_are_asked_for_again_until_they_are_granted() {
    let mut fleet = Fleet::of(ONE);
    for waited in [30, 30, 30, 30, 30, 45] {
        fleet.now = fleet.now + Duration::from_secs(waited);
        fleet.apply(Event::RetryDue { unit: A.into() }).unwrap();
    }
    assert_eq!(fleet.locks.asks.len(), 7);
    assert!(fleet.locks.asks.iter().all(|ask| *ask == fleet.locks.asks[0]));
}

#[test]
fn a_cancel_takes_back_what_was_asked_for_and_what_is_held_is_given_back_at_the_end() {
    let mut fleet = Fleet::of(ONE);
    fleet.apply(Event::Cancel { reason: "enough".into() }).unwrap();
    assert_eq!((fleet.stands("a"), fleet.locks.released.len(), fleet.ends), ("cancelled", 1, 1));
    let mut fleet = Fleet::of(ONE);
    fleet.grant(A, 7).unwrap();
    fleet.apply(Event::Cancel { reason: "enough".into() }).unwrap();
    assert!(fleet.locks.released.is_empty(), "its worker still has the task");
    fleet.end("a", Outcome::Cancelled);
    assert_eq!((fleet.locks.released.len(), fleet.ends), (1, 1));
}

#[test]
fn a_lock_that_can_never_be_had_fails_the_step_with_the_reason() {
    let mut fleet = Fleet::of(ONE);
    let reason = "lock db/primary has 1 slot".to_owned();
    fleet.apply(Event::LockRefused { unit: A.into(), attempt: 1, reason: reason.clone() }).unwrap();
    assert_eq!(fleet.ended("a").reason, Some(reason));
    assert!(fleet.locks.released.is_empty(), "there is nothing to give back");
}

#[test]
fn a_lock_that_somebody_has_released_is_not_given_back_again_and_its_step_goes_on() {
    let mut fleet = Fleet::of(ONE);
    fleet.grant(A, 7).unwrap();
    let locks = vec!["db/primary".parse().unwrap()];
    let taken = Event::LockTaken { unit: A.into(), attempt: 1, locks, by: "ann".into(), why: None };
    fleet.apply(taken).unwrap();
    fleet.locks.open.clear();
    assert_eq!(fleet.stands("a"), "dispatched");
    fleet.end("a", Outcome::Succeeded);
    assert!(fleet.locks.released.is_empty());
}

#[test]
fn each_item_holds_its_own_locks_and_those_that_are_given_up_give_them_back() {
    let mut fleet = Fleet::of(
        "name: w\nsteps: [{name: a, run: x, foreach: {items: [x, y, z], fail_fast: true}, locks: [\"db/${{ item }}\"]}]\n",
    );
    let wanted: Vec<String> = fleet.locks.asks.iter().map(|ask| ask.wants[0].lock.to_string()).collect();
    assert_eq!(wanted, ["db/x", "db/y", "db/z"]);
    let item = |item| Unit { step: A, item: Some(item) };
    fleet.grant(item(0), 1).unwrap();
    fleet.grant(item(1), 2).unwrap();
    let failed = fleet.result(item(0), Outcome::Failed);
    fleet.apply(Event::Result(failed)).unwrap();
    assert_eq!(fleet.locks.open.keys().copied().collect::<Vec<_>>(), [item(1)], "the third is given up");
    let gone = fleet.result(item(1), Outcome::Cancelled);
    fleet.apply(Event::Result(gone)).unwrap();
    assert_eq!((fleet.locks.open.len(), fleet.locks.released.len(), fleet.ends), (0, 3, 1));
}

#[test]
fn a_run_of_another_workflow_starts_when_its_step_has_the_locks_and_they_are_held_until_it_has_ended() {
    let mut fleet = Fleet::of(
        "name: w\nsteps: [{name: a, uses: workflow, with: {name: part}, locks: [db]}, {name: b, run: x}]\n",
    );
    assert_eq!((fleet.stands("a"), fleet.starts.len()), ("locking", 0));
    fleet.grant(A, 7).unwrap();
    assert_eq!((fleet.stands("a"), fleet.starts.len()), ("child", 1));
    fleet.end_child(A, Outcome::Succeeded, &json!({}));
    assert_eq!(fleet.locks.released.len(), 1);
}

#[test]
fn names_that_expressions_give_are_held_to_what_a_step_may_want() {
    let locks = |locks: &str| {
        let source =
            format!("name: w\nsteps: [{{name: a, run: x, foreach: [x y, b/x, b], locks: {locks}}}]\n");
        let mut fleet = Fleet::of(&source);
        let grants: Vec<Unit> = fleet.locks.open.keys().copied().collect();
        grants.into_iter().for_each(|unit| fleet.grant(unit, 1).unwrap());
        fleet
    };
    let fleet = locks("[\"${{ item }}\", b/y]");
    let why = |item| fleet.item_end("a", item).map(|end| end.reason.clone().unwrap());
    assert!(why(0).unwrap().starts_with("`locks`: lock name \"x y\" must match"), "{:?}", why(0));
    assert_eq!((why(1), why(2)), (None, None), "they are of one group");
    let fleet = locks("[c/y, \"${{ item }}\"]");
    let why = fleet.item_end("a", 1).unwrap().reason.clone().unwrap();
    assert!(why.starts_with("`locks`: locks of two groups, \"c\" and \"b\""), "{why}");
}

#[test]
fn what_a_step_asks_for_reads_as_it_was_written_in_a_letter_and_in_a_row() {
    let mut fleet = Fleet::of(
        "name: w\nsteps: [{name: a, run: x, foreach: [x], locks: [{name: db/a, slots: 2, weight: 2}, {name: db/b, shared: true}]}]\n",
    );
    let ask = fleet.locks.asks.remove(0);
    let body = InboxBody::AskLocks { ask: Box::new(ask.clone()) };
    let (from, epoch, seq) = (PartitionId(1), Epoch(2), Seq(3));
    let letter = Inbox::new(InboxBody::Letter { from, epoch, seq, n: 0, body: Box::new(body) });
    let text = serde_json::to_vec(&letter).unwrap();
    assert_eq!(Inbox::read(&text).unwrap(), letter);
    let entry = Entry {
        ask,
        grant: Some(Grant { token: u64::MAX, at: fleet.now, used_at: None }),
        nested: true,
        replaced_by: None,
    };
    let row = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&row).unwrap(), entry);
}

#[test]
fn only_those_above_that_wait_for_the_run_are_named_by_its_ask() {
    let run = |n: u16| RunId::of_key(&WorkflowId::adhoc(), &format!("above {n}"), 64);
    let above =
        |n, waits| Ancestor { run: run(n), workflow: WorkflowId::adhoc(), unit: Some(A.into()), waits };
    let attempt = TaskId { run: run(2), unit: A.into(), attempt: 1 };
    let parent = |ancestors: Vec<Ancestor>| {
        let waits = ancestors.last().is_some_and(|last| last.waits);
        Some(Parent { attempt, name: "a".parse().unwrap(), waits, ancestors })
    };
    for (waits, named) in
        [([true, true, true], vec![0, 1, 2]), ([true, false, true], vec![2]), ([true, true, false], vec![])]
    {
        let ancestors = waits.iter().zip(0..).map(|(waits, n)| above(n, *waits)).collect();
        let fleet = Fleet::start(&Order { parent: parent(ancestors), ..Order::of(ONE) });
        let named = named.into_iter().map(|n| Holder::of_unit(run(n), A.into(), Need::Locks));
        let named: Vec<Holder> = named.collect();
        assert_eq!(fleet.locks.asks[0].above, named, "{waits:?}");
    }
}
