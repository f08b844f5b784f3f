//! Random workflows under random histories: results in any order, losses, repetitions, late and unknown attempts,
//! early timers, stops. The fleet checks after each event what must always hold.

use std::collections::HashMap;
use std::time::Duration;

use millrace_domain::run::history::advance_noting;
use millrace_domain::run::{ChildStart, Event, Mover, RunDeed, RunTimer, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, Priority, StepIndex, Unit};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use serde_json::json;

use crate::fleet::Fleet;
use crate::pauses::run_act;
use crate::random_plans::plan;
use crate::slots::slots;

#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// A current attempt, or child, ends; it hands its output on, or does not.
    Finish(Index, Outcome, bool),
    /// Any attempt that ever was ends, or is said to; or any child.
    FinishAny(Index, Outcome),
    FinishAnyChild(Index, Outcome),
    Lose(Index),
    LoseAny(Index),
    Revoke(Index),
    /// One of the timers that are set fires.
    Fire(Index),
    /// A timer fires that nobody set.
    Stray(Index, u8),
    /// Something that happened happens again.
    Repeat(Index),
    Cancel,
    Poison,
    /// Somebody pauses the run, resumes it, or gives it another priority.
    Steer(u8),
    /// An attempt is taken back that nobody has claimed.
    TakeBack(Index),
    /// Whoever keeps the slots of the workflow says something of that of the run.
    Slot(u8, Outcome),
    Pass(u64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        8 => Just(Outcome::Succeeded),
        3 => Just(Outcome::Failed),
        1 => Just(Outcome::TimedOut),
        1 => Just(Outcome::Lost),
        1 => prop_oneof![Just(Outcome::Cancelled), Just(Outcome::Skipped)],
    ]
}

pub(crate) fn moves() -> impl Strategy<Value = Vec<Move>> {
    let index = any::<Index>;
    let one = prop_oneof![
        120 => (index(), outcome(), proptest::bool::weighted(0.9)).prop_map(|(n, o, gives)| Move::Finish(n, o, gives)),
        20 => (index(), outcome()).prop_map(|(n, outcome)| Move::FinishAny(n, outcome)),
        10 => (index(), outcome()).prop_map(|(n, outcome)| Move::FinishAnyChild(n, outcome)),
        50 => index().prop_map(Move::Lose),
        12 => index().prop_map(Move::LoseAny),
        16 => index().prop_map(Move::Revoke),
        60 => index().prop_map(Move::Fire),
        8 => (index(), any::<u8>()).prop_map(|(step, kind)| Move::Stray(step, kind)),
        20 => index().prop_map(Move::Repeat),
        12 => (0u8..8).prop_map(Move::Steer),
        16 => index().prop_map(Move::TakeBack),
        2 => Just(Move::Cancel),
        1 => Just(Move::Poison),
        8 => (0u8..12, outcome()).prop_map(|(what, outcome)| Move::Slot(what, outcome)),
        16 => (0u64..40_000).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 0..120)
}

impl Move {
    /// The event, when there is something for it to happen to.
    fn event(&self, fleet: &Fleet) -> Option<Event> {
        let current = |index: &Index| {
            let all: Vec<_> = fleet.current.iter().collect();
            (!all.is_empty()).then(|| all[index.index(all.len())]).map(|(step, attempt)| (*step, *attempt))
        };
        let any = |index: &Index| {
            (!fleet.tasks.is_empty()).then(|| index.get(&fleet.tasks)).map(|t| (t.id().unit, t.attempt))
        };
        let finished = |(unit, attempt): (Unit, u32), outcome, gives| {
            let mut result = fleet.result(unit, outcome);
            result.attempt = attempt;
            if gives {
                result.outputs = json!({"v": 1}).as_object().unwrap().clone();
            }
            Event::Result(result)
        };
        let lost = |(unit, attempt): (Unit, u32)| Event::Lost { unit, attempt, reason: "gone".to_owned() };
        match self {
            Self::Finish(index, outcome, gives) => {
                let all = fleet.current.len() + fleet.children.len();
                let place = (all > 0).then(|| index.index(all));
                match place.and_then(|place| place.checked_sub(fleet.current.len())) {
                    Some(place) => fleet
                        .children
                        .values()
                        .nth(place)
                        .map(|start| child_ended(fleet, start, *outcome, *gives)),
                    None => current(index).map(|task| finished(task, *outcome, *gives)),
                }
            }
            Self::FinishAnyChild(index, outcome) => (!fleet.starts.is_empty())
                .then(|| child_ended(fleet, index.get(&fleet.starts), *outcome, true)),
            Self::FinishAny(index, outcome) => any(index).map(|task| finished(task, *outcome, true)),
            Self::Lose(index) => current(index).map(lost),
            Self::LoseAny(index) => any(index).map(lost),
            Self::Steer(what) => Some(run_act(
                fleet.history.len(),
                match what {
                    0..3 => RunDeed::Pause,
                    3..6 => RunDeed::Resume,
                    6 => RunDeed::Priority { priority: Priority::P0 },
                    _ => RunDeed::Priority { priority: Priority::P3 },
                },
            )),
            Self::TakeBack(index) => {
                current(index).map(|(unit, attempt)| Event::Revoked { unit, attempt, unclaimed: true })
            }
            Self::Revoke(index) => {
                current(index).map(|(unit, attempt)| Event::Revoked { unit, attempt, unclaimed: false })
            }
            Self::Stray(index, kind) => Some(match kind % 4 {
                0 => Event::StartDue,
                1 => Event::CancelCheckDue,
                // One past the end names no step.
                _ => Event::RetryDue { unit: StepIndex::from(index.index(fleet.run.steps.len() + 1)).into() },
            }),
            Self::Repeat(index) => (!fleet.history.is_empty()).then(|| index.get(&fleet.history).1.clone()),
            Self::Cancel => Some(Event::Cancel { reason: "enough".to_owned() }),
            Self::Poison => Some(Event::Poisoned { reason: "it broke its owner".to_owned() }),
            Self::Slot(what, outcome) => Some(match (what, slots()) {
                (0, slots) => Event::Displaced { slots, reason: "replaced".to_owned() },
                (1, _) => Event::SlotRefused { outcome: *outcome, reason: "another is under way".to_owned() },
                (2 | 3, slots) => Event::SlotTaken { slots, by: "ann".to_owned(), why: None },
                (_, slots) => Event::SlotGranted { slots },
            }),
            Self::Fire(_) | Self::Pass(_) => None,
        }
    }

    pub(crate) fn make(&self, fleet: &mut Fleet) {
        match self {
            Self::Pass(millis) => fleet.pass(Duration::from_millis(*millis)),
            Self::Fire(index) => {
                let mut timers: Vec<_> =
                    fleet.timers.iter().map(|(timer, due)| (*due, order_of(*timer), *timer)).collect();
                timers.sort_unstable_by_key(|(due, order, _)| (*due, *order));
                if !timers.is_empty() {
                    let (due, _, timer) = timers[index.index(timers.len())];
                    fleet.now = fleet.now.max(due);
                    let _ = fleet.fire_timer(timer);
                }
            }
            _ => {
                if let Some(event) = self.event(fleet) {
                    let _ = fleet.apply(event);
                }
            }
        }
    }
}

/// The end of a child, which is never lost.
fn child_ended(fleet: &Fleet, start: &ChildStart, outcome: Outcome, gives: bool) -> Event {
    let outcome = if outcome == Outcome::Lost { Outcome::Failed } else { outcome };
    let outputs = if gives { json!({"v": 1}) } else { json!({}) }.as_object().unwrap().clone();
    let (started_at, ended_at) = (fleet.now, fleet.now);
    Event::ChildEnded(TaskResult { started_at, ended_at, outputs, ..start.parent.told(outcome) })
}

/// Ends the first of the children, if there is one.
fn end_a_child(fleet: &mut Fleet, outcome: Outcome) -> bool {
    let first = fleet.children.values().next().cloned();
    let ended = first.map(|start| child_ended(fleet, &start, outcome, false));
    ended.map(|ended| fleet.apply(ended).unwrap()).is_some()
}

/// So that a run is the same every time, and can be shrunk.
fn order_of(timer: RunTimer) -> (u8, u32, Option<u32>) {
    match timer {
        RunTimer::Start => (0, 0, None),
        RunTimer::Retry(unit) => (1, unit.step.0, unit.item),
        RunTimer::Timeout => (2, 0, None),
        RunTimer::CancelCheck => (3, 0, None),
    }
}

/// Ends every task with `outcome`, and lets timers fire, until the run has ended.
pub(crate) fn drain(fleet: &mut Fleet, outcome: Outcome) {
    let mut events = 0;
    while !fleet.run.head.state.is_terminal() {
        match fleet.current.keys().next().copied() {
            Some(step) => {
                let result = fleet.result(step, outcome);
                fleet.apply(Event::Result(result)).unwrap();
            }
            None if end_a_child(fleet, outcome) => {}
            None if fleet.run.head.paused.is_some() => fleet.resume().unwrap(),
            None if fleet.run.awaited_slot().is_some() => fleet.grant_slot().unwrap(),
            None => {
                // Refused when a stray one came before it.
                let timer = fleet.until_next();
                let _ = fleet.fire_timer(timer);
            }
        }
        events += 1;
        assert!(events < 2_000, "the run does not end");
    }
}

/// Lets what moves the run do so, and nothing else, until nothing does any more.
fn exhaust_movers(fleet: &mut Fleet, outcome: Outcome) {
    let mut moved = 0;
    loop {
        let steps = (0..fleet.run.steps.len()).map(|step| Unit::from(StepIndex::from(step)));
        let items = fleet.run.steps.iter().enumerate().flat_map(|(step, state)| match state {
            StepState::Fanned(fan) => {
                let item = |item: &u32| Unit { step: step.into(), item: Some(*item) };
                fan.open.keys().map(item).collect()
            }
            _ => Vec::new(),
        });
        let movers: Vec<Mover> = steps.chain(items).filter_map(|unit| fleet.run.mover_of(unit)).collect();
        let moves = |mover: &Mover| !matches!(mover, Mover::Steps | Mover::Items);
        match movers.into_iter().chain(fleet.run.mover()).find(moves) {
            None => return,
            Some(Mover::Resume) => fleet.resume().unwrap(),
            Some(Mover::Timer(timer)) => {
                fleet.now = fleet.now.max(fleet.timers[&timer]);
                // Both ask a child again for its end, and in the end it is told.
                let asks = match timer {
                    RunTimer::Retry(unit) => fleet.children.contains_key(&unit),
                    RunTimer::CancelCheck => true,
                    _ => false,
                };
                fleet.fire_timer(timer).unwrap();
                // It asks for its slot, and in the end it is granted.
                if timer == RunTimer::Start && fleet.run.awaited_slot().is_some() {
                    fleet.grant_slot().unwrap();
                }
                if asks {
                    end_a_child(fleet, outcome);
                }
            }
            Some(Mover::Attempt { unit, attempt }) => {
                let result = fleet.result(unit, outcome);
                assert_eq!(result.attempt, attempt);
                fleet.apply(Event::Result(result)).unwrap();
            }
            Some(Mover::Steps | Mover::Items) => unreachable!("left out above"),
        }
        moved += 1;
        assert!(moved < 10_000, "the run does not end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_invariant_holds_and_every_run_ends(
        plan in plan(),
        moves in moves(),
        rest in prop_oneof![3 => Just(Outcome::Succeeded), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Lost)],
    ) {
        let order = plan.order();
        let mut fleet = Fleet::start(&order);
        for one in &moves {
            one.make(&mut fleet);
        }
        drain(&mut fleet, rest);
        prop_assert_eq!(fleet.slots.released, u32::from(fleet.run.head.slot.is_some()));
        let again: Vec<Event> = fleet.history.iter().map(|(_, event, _)| event.clone()).collect();
        for event in again {
            // What somebody did to the run is known by its id.
            let is_known = matches!(event, Event::RunAct(_));
            prop_assert!(fleet.apply(event).is_err() || is_known);
        }

        // The same events at the same instants give the same answers.
        let (mut run, _) = order.create(order.workflow());
        for (at, event, answer) in &fleet.history {
            for step in run.wants_lent(event) {
                run.lend(step, std::sync::Arc::new(fleet.outputs_apart(step)));
            }
            prop_assert_eq!(answer, &format!("{:?}", advance_noting(&mut run, event, *at)));
            run.take_back_lent();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_whose_movers_have_all_done_their_part_has_ended(
        plan in plan(),
        moves in moves(),
        rest in prop_oneof![3 => Just(Outcome::Succeeded), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Lost)],
    ) {
        let mut fleet = Fleet::start(&plan.order());
        for one in &moves {
            one.make(&mut fleet);
        }
        exhaust_movers(&mut fleet, rest);
        prop_assert!(fleet.run.head.state.is_terminal(), "{:?}", fleet.run.steps);
        prop_assert_eq!(fleet.ends, 1);
    }
}

/// The random histories would prove little if they never came to what they are about.
#[test]
fn random_histories_reach_every_end_and_every_kind_of_step() {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for n in 0..400 {
        let plan = plan().new_tree(&mut runner).unwrap().current();
        let moves = moves().new_tree(&mut runner).unwrap().current();
        let mut fleet = Fleet::start(&plan.order());
        moves.iter().for_each(|one| one.make(&mut fleet));
        drain(&mut fleet, if n % 5 == 0 { Outcome::Lost } else { Outcome::Succeeded });
        *seen.entry(fleet.state()).or_default() += 1;
        let names: Vec<String> = fleet.run.workflow.steps.iter().map(|step| step.name.to_string()).collect();
        for name in &names {
            let end = fleet.ended(name);
            *seen
                .entry(match end.outcome {
                    Outcome::Succeeded if name.starts_with('h') => "a hook of a step",
                    Outcome::Succeeded if name.starts_with('r') => match fleet.run.head.stopping {
                        Some(_) => "a hook of a run that was stopped",
                        None => "a hook of a run",
                    },
                    Outcome::Skipped => "a skipped step",
                    _ if end.items.as_ref().is_some_and(|items| items.begun < items.total) => {
                        "a step with items that were given up"
                    }
                    Outcome::Succeeded if end.items.as_ref().is_some_and(|items| items.failed > 0) => {
                        "a step with failures that are tolerated"
                    }
                    Outcome::Failed if end.items.is_some() => "a step with too many failures",
                    _ if end.items.is_some() => "a step with items",
                    _ if end.attempts.lost > 3 => "a step lost too often",
                    _ if end.attempts.retries > 1 => "a step tried three times",
                    _ if end.reason.as_deref().is_some_and(|reason| reason.contains("rendered")) => {
                        "a step not rendered"
                    }
                    _ => "other steps",
                })
                .or_default() += 1;
        }
        for start in &fleet.starts {
            let is_told = fleet.asked_to_stop.contains_key(&start.parent.attempt);
            *seen.entry(if is_told { "a run that was told to stop" } else { "a run" }).or_default() += 1;
        }
        if let Some(began) = fleet.slots.asks.first().map(|_| fleet.run.head.started_at) {
            let what = if began.is_some() { "a run that got its slot" } else { "a run that got no slot" };
            *seen.entry(what).or_default() += 1;
        }
        if fleet.stops.iter().any(|(_, by_force)| *by_force) {
            *seen.entry("a stop by force").or_default() += 1;
        }
    }
    let kinds = [
        "a skipped step",
        "a step lost too often",
        "a step tried three times",
        "a step not rendered",
        "a step with items",
        "a hook of a step",
        "a hook of a run",
        "a hook of a run that was stopped",
        "a step with items that were given up",
        "a step with failures that are tolerated",
        "a step with too many failures",
        "a run",
        "a run that was told to stop",
        "a run that got its slot",
        "a run that got no slot",
    ];
    for kind in kinds.into_iter().chain(["succeeded", "failed", "timed_out", "cancelled", "a stop by force"])
    {
        assert!(seen.get(kind).is_some_and(|count| *count >= 2), "{kind}: {seen:?}");
    }
}
