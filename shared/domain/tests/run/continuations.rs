//! Runs that go on with another one, from where it failed.

use std::sync::Arc;

use millrace_domain::Outcome::{Cancelled, Failed, Succeeded};
use millrace_domain::run::history::{History, What, as_created, replay};
use millrace_domain::run::{Continuation, Deed, Event, Head, RunState, StepState, create_continuation};
use millrace_domain::{Outcome, StepIndex, Unit};
use proptest::prelude::*;
use serde_json::json;

use crate::fleet::{Fleet, Order};
use crate::random_cases::Above;
use crate::random_children::parent;
use crate::random_plans::plan;

impl Fleet {
    /// The continuation of this run, as its owner creates it: with what the run keeps apart.
    pub(crate) fn continued(&mut self) -> Self {
        self.run.can_be_continued().unwrap();
        let (n, id) = self.run.next_continuation();
        let head = &self.run.head;
        let retry_of = Some(Box::new(self.run.retry_of("ann", "it is mended")));
        let head = Head { retry_of, ..Head::new(head.workflow.clone(), head.version, self.now) };
        let carried = self.run.carried_over(self.now);
        let of_carried = |step: StepIndex| carried.iter().any(|(carried, _)| *carried == step);
        let apart = self.stored.apart.iter().filter(|(step, _)| of_carried(**step));
        let apart = apart.map(|(step, kept)| (*step, kept.clone())).collect();
        let items = self.stored.items.iter().filter(|(unit, _)| of_carried(unit.step));
        let items = items.map(|(unit, end)| (*unit, end.as_carried(self.run.id))).collect();
        let (workflow, spec) = (Arc::clone(&self.run.workflow), Arc::clone(&self.run.spec));
        let created = create_continuation(id, workflow, spec, head, carried, self.now);
        let (request, at) = (format!("request {n}"), self.now);
        let noted = Continuation { n, run: id, request, at, by: String::new(), why: String::new() };
        self.run.note_continuation(noted);
        Self::of_created(created, self.now, apart, items)
    }

    /// Works the run to its end: each attempt ends as this says of its step, and gives a number.
    fn work(&mut self, outcome: impl Fn(&str) -> Outcome, order: usize) {
        for made in 0.. {
            if self.run.head.state.is_terminal() {
                return;
            }
            assert!(made < 10_000, "the run does not end: {:?}", self.run.steps);
            let of =
                |fleet: &Self, unit: Unit| outcome(fleet.run.workflow.steps[unit.step.at()].name.as_str());
            if self.run.awaited_slot().is_some() {
                self.grant_slot().unwrap();
            } else if let Some(unit) = self.current.keys().nth(order % self.current.len().max(1)).copied() {
                let outcome = of(self, unit);
                let mut result = self.result(unit, outcome);
                result.outputs = json!({"v": 1}).as_object().unwrap().clone();
                self.apply(Event::Result(result)).unwrap();
            } else if let Some(unit) = self.children.keys().next().copied() {
                let outcome = of(self, unit);
                self.end_child(unit, outcome, &json!({"v": 1}));
            } else {
                let timer = self.until_next();
                let _ = self.fire_timer(timer);
            }
        }
    }

    /// What of the run is told, in words.
    fn told(&self) -> Vec<String> {
        let mut history = History::of(&self.run, 0, usize::MAX);
        self.stored.entries.iter().for_each(|(n, entry)| history.add_entry(*n, entry.clone()));
        let told = history.happened(&self.run).into_iter().flat_map(|one| one.told(&self.run));
        told.map(|told| told.text).collect()
    }
}

const DIAMOND: &str = "name: w\nsteps:
  - {name: a, run: x}
  - {name: left, depends_on: [a], run: x, env: {V: \"${{ outputs.a.v }}\"}}
  - {name: right, depends_on: [a], run: x, retry: {limit: 1}}
  - {name: unwanted, depends_on: [a], if: \"false\", run: x}
  - {name: after, depends_on: [unwanted], trigger_rule: none_failed, run: x}
  - {name: join, depends_on: [left, right], run: x, env: {V: \"${{ outputs.left.v }}\"}}
on_finish: [{name: last, run: x}]\n";

/// A run of the diamond that fails on the right.
fn failed() -> Fleet {
    let mut fleet = Fleet::of(DIAMOND);
    fleet.work(|name| if name == "right" { Failed } else { Succeeded }, 0);
    assert_eq!(
        (fleet.state(), fleet.stands("left"), fleet.stands("join")),
        ("failed", "succeeded", "skipped")
    );
    fleet
}

#[test]
fn what_had_succeeded_is_carried_over_and_what_failed_runs_again_with_what_follows() {
    let mut old = failed();
    let was = old.run.head.clone();
    let mut new = old.continued();
    assert_eq!(new.sent(), ["right 1"]);
    for name in ["a", "left", "after"] {
        assert_eq!(new.ended(name).carried, Some(old.run.id), "{name}");
    }
    assert_eq!(new.stands("unwanted"), "skipped", "it was judged anew");
    new.end("right", Succeeded);
    assert_eq!(new.sent(), ["join 1"]);
    assert_eq!(new.task("join").env["V"], "1", "the output of a step that was carried over");
    new.end("join", Succeeded);
    assert_eq!(new.sent(), ["last 1"], "the hooks of the run have their turn again");
    new.end("last", Succeeded);
    assert_eq!(new.state(), "succeeded");

    let head = Head { continuations: Vec::new(), ..old.run.head.clone() };
    assert_eq!(head, was, "the old run stays as it was");
    assert_eq!(old.run.continued_by("request 1"), Some(new.run.id));
    assert_eq!(old.run.continued_by("request 2"), None);
}

#[test]
fn a_continuation_can_be_continued_and_the_first_run_is_the_origin_of_all() {
    let mut first = failed();
    let mut second = first.continued();
    second.work(|name| if name == "join" { Failed } else { Succeeded }, 0);
    let mut third = second.continued();
    assert_eq!(third.sent(), ["join 1"]);
    let of = third.run.head.retry_of.as_deref().unwrap();
    assert_eq!((of.run, of.origin), (second.run.id, first.run.id));
    assert_eq!(third.ended("a").carried, Some(first.run.id), "it ran there");
    assert_eq!(third.ended("right").carried, Some(second.run.id));
    let again = first.continued();
    assert_ne!(again.run.id, second.run.id, "another continuation is another run");
    assert_eq!(again.run.id.partition(), first.run.id.partition());
}

#[test]
fn what_follows_a_step_that_runs_again_runs_again_though_it_had_succeeded() {
    let source = "name: w\nsteps:
  - {name: a, run: x, continue_on_error: true}
  - {name: b, depends_on: [a], run: x}
  - {name: c, run: x, on_failure: [{name: told, run: x}]}\n";
    let mut old = Fleet::of(source);
    old.work(|name| if ["a", "c"].contains(&name) { Failed } else { Succeeded }, 0);
    assert_eq!((old.stands("b"), old.stands("told")), ("succeeded", "succeeded"));
    let mut new = old.continued();
    assert_eq!(new.sent(), ["a 1", "c 1"]);
    new.work(|_| Succeeded, 0);
    assert_eq!((new.state(), new.stands("told")), ("succeeded", "skipped"));
    assert_eq!(new.sent(), ["b 1"]);
}

#[test]
fn a_hook_of_a_step_that_is_carried_over_does_not_run_again() {
    let source = "name: w\nsteps:
  - {name: a, run: x, on_success: [{name: told, run: x}], on_failure: [{name: not, run: x}]}
  - {name: b, depends_on: [a], run: x}\n";
    let mut old = Fleet::of(source);
    old.work(|name| if name == "b" { Failed } else { Succeeded }, 0);
    let mut new = old.continued();
    assert_eq!(
        (new.sent(), new.stands("told"), new.stands("not")),
        (vec!["b 1".to_owned()], "succeeded", "skipped")
    );
}

#[test]
fn a_step_with_items_is_carried_over_whole_or_runs_again_whole() {
    let source = "name: w\nsteps:
  - {name: all, run: x, foreach: [1, 2, 3]}
  - {name: some, run: x, foreach: [1, 2, 3]}
  - {name: sum, depends_on: [all, some], run: x, env: {N: \"${{ outputs.all }}\"}}\n";
    let mut old = Fleet::of(source);
    while let Some((unit, _)) = old.current.first_key_value().map(|(unit, n)| (*unit, *n)) {
        let outcome = if unit == old.item("some", 1) { Failed } else { Succeeded };
        let mut result = old.result(unit, outcome);
        result.outputs = json!({"v": unit.item}).as_object().unwrap().clone();
        old.apply(Event::Result(result)).unwrap();
    }
    assert_eq!(old.state(), "failed");
    let mut new = old.continued();
    assert_eq!(new.sent(), ["some.0 1", "some.1 1", "some.2 1"]);
    new.work(|_| Succeeded, 0);
    assert_eq!(new.state(), "succeeded");
    assert_eq!(
        new.task("sum").env["N"],
        r#"[{"v":0},{"v":1},{"v":2}]"#,
        "what its items gave was carried over"
    );
}

#[test]
fn a_run_says_why_it_cannot_be_continued() {
    let mut fleet = Fleet::of(DIAMOND);
    let id = fleet.run.id;
    let why = |fleet: &Fleet| fleet.run.can_be_continued().unwrap_err();
    assert_eq!(
        why(&fleet),
        format!(
            "run {id} is under way (running): wait for its end, or say which of its steps is to be tried again (millrace runs retry {id} STEP)"
        )
    );
    fleet.work(|_| Succeeded, 0);
    assert_eq!(
        why(&fleet),
        format!(
            "run {id} has succeeded: there is nothing to retry (start it anew with `millrace workflows trigger`)"
        )
    );
    let of = parent(Above { runs: 2, waits: true });
    let above = of.attempt.run;
    let mut child =
        Fleet::start(&Order { parent: Some(of), ..Order::of("name: w\nsteps: [{name: a, run: x}]") });
    child.work(|_| Failed, 0);
    assert!(
        why(&child)
            .ends_with(&format!("retry that run (millrace runs retry {above}), which starts this step anew"))
    );
    let mut started = Fleet::start(&Order {
        parent: Some(parent(Above { runs: 2, waits: false })),
        ..Order::of("name: w\nsteps: [{name: a, run: x}]")
    });
    started.work(|_| Failed, 0);
    assert_eq!(started.run.can_be_continued(), Ok(()), "nobody waits for its end");
}

#[test]
fn a_run_that_was_stopped_before_it_began_is_begun_by_its_continuation() {
    let mut old =
        Fleet::of("name: w\nconcurrency: 1\nsteps: [{name: a, run: x}, {name: b, depends_on: [a], run: x}]");
    old.cancel();
    assert_eq!(old.state(), "cancelled");
    let mut new = old.continued();
    assert_eq!(
        (new.state(), new.sent().len()),
        ("waiting", 0),
        "the limit of its workflow holds for it, too"
    );
    new.grant_slot().unwrap();
    assert_eq!(new.sent(), ["a 1"]);
    new.end("a", Cancelled);
    let mut third = new.continued();
    third.grant_slot().unwrap();
    third.work(|_| Succeeded, 0);
    assert_eq!(third.state(), "succeeded");
}

#[test]
fn a_step_that_ended_as_somebody_said_is_carried_over_only_where_it_was_marked_as_succeeded() {
    let source = "name: w\nsteps:
  - {name: a, run: x, retry: {then: ask}}
  - {name: b, run: x, retry: {then: ask}}
  - {name: c, run: x, depends_on: [{step: a, status: finished}, {step: b, status: finished}]}\n";
    let mut old = Fleet::of(source);
    for (name, deed) in [("a", Deed::Succeed { outputs: serde_json::Map::new() }), ("b", Deed::Skip)] {
        old.end(name, Failed);
        let unit = old.index(name).into();
        let act = millrace_domain::run::Act {
            id: name.into(),
            unit,
            attempt: 1,
            deed,
            by: "ann".into(),
            why: String::new(),
        };
        old.apply(Event::Act(Box::new(act))).unwrap();
    }
    old.end("c", Failed);
    let mut new = old.continued();
    assert_eq!((new.sent(), new.stands("a")), (vec!["b 1".to_owned()], "succeeded"));
}

#[test]
fn both_runs_tell_of_it() {
    let mut old = failed();
    let new = old.continued();
    let told = new.told();
    assert_eq!(told[0], format!("created as a retry of run {} by ann: it is mended", old.run.id));
    assert!(
        told.contains(&format!("left had succeeded in run {}, and is carried over", old.run.id)),
        "{told:?}"
    );
    let last = old.told().pop().unwrap();
    assert!(
        last.starts_with("the run was retried at ") && last.ends_with(&format!("as run {}", new.run.id)),
        "{last}"
    );
}

/// Makes a run again from its history.
fn is_made_again(fleet: &Fleet) {
    let mut history = History::of(&fleet.run, 0, usize::MAX);
    fleet.stored.entries.iter().for_each(|(n, entry)| history.add_entry(*n, entry.clone()));
    let of_run = fleet.stored.items.iter().filter(|(_, end)| end.carried.is_none());
    of_run.for_each(|(unit, end)| history.add_end(*unit, end.clone()));
    let (mut again, _) = as_created(&fleet.run);
    for happened in history.happened(&fleet.run) {
        if matches!(happened.what, What::Created) {
            continue;
        }
        let entry = happened.entry().unwrap_or_else(|| panic!("{happened:?}"));
        replay(&mut again, entry, |step| Arc::new(fleet.outputs_apart(step))).unwrap();
    }
    assert_eq!((&again.head, &again.steps), (&fleet.run.head, &fleet.run.steps));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_continuation_in_which_all_goes_well_ends_as_if_it_had_gone_well_the_first_time(
        plan in plan(),
        bad in any::<u64>(),
        order in 0usize..5,
        stopped_after in proptest::option::weighted(0.2, 0usize..20),
    ) {
        let order_of_run = plan.order();
        let fails = |name: &str| {
            let n = name.bytes().fold(0u64, |sum, byte| sum * 31 + u64::from(byte));
            if bad.rotate_left((n % 64) as u32) % 4 == 0 { Failed } else { Succeeded }
        };
        let mut old = Fleet::start(&order_of_run);
        if let Some(after) = stopped_after {
            for _ in 0..after {
                let Some(unit) = old.current.keys().next().copied() else { break };
                let result = old.result(unit, fails(old.run.workflow.steps[unit.step.at()].name.as_str()));
                old.apply(Event::Result(result)).unwrap();
            }
            if !old.run.head.state.is_terminal() {
                old.cancel();
            }
        }
        old.work(fails, order);
        if !matches!(old.run.head.state, RunState::Failed | RunState::TimedOut | RunState::Cancelled) {
            return Ok(());
        }
        let mut well = Fleet::start(&order_of_run);
        well.work(|_| Succeeded, order);
        let mut new = old.continued();
        new.work(|_| Succeeded, order);

        let outcomes = |fleet: &Fleet| -> Vec<Option<Outcome>> {
            (0..fleet.run.steps.len()).map(|step| fleet.run.outcome_of(step.into())).collect()
        };
        // What was carried over may have given less than it would give now.
        if stopped_after.is_none() {
            prop_assert_eq!(outcomes(&new), outcomes(&well));
            prop_assert_eq!(new.state(), well.state());
        }
        for (step, state) in old.run.steps.iter().enumerate() {
            let StepState::Ended(end) = state else { panic!("{state:?}") };
            let StepState::Ended(anew) = &new.run.steps[step] else { panic!() };
            let runs = new.made.iter().any(|(task, _)| task.unit.step.at() == step);
            if anew.carried.is_some() {
                prop_assert!(!runs && end.outcome == Succeeded, "step {} ran again", step);
            }
            let may_run = old.run.workflow.steps[step].is_run_hook() || end.outcome != Succeeded;
            let follows = old.run.workflow.graph.dependencies(step.into()).iter().any(|on| {
                new.made.iter().any(|(task, _)| task.unit.step == *on)
                    || old.run.outcome_of(*on) != new.run.outcome_of(*on)
                    || new.run.steps[on.at()] != old.run.steps[on.at()]
            });
            prop_assert!(!runs || may_run || follows, "step {} ran again without a reason", step);
        }
        is_made_again(&new);
        prop_assert!(new.run.continued_last().is_none());
    }
}
