//! The history of a run: replayed, it gives the run again; told, it names the cause of all that happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_domain::run::history::{Happened, History, What, as_created, replay};
use millrace_domain::run::{Ended, Event, Run};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex, Unit};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fleet::{Fleet, Lending};
use crate::invariants::assert_same;
use crate::properties::{drain, moves};
use crate::random_plans::plan;

/// A part of the history, as it is read from the store.
fn read(fleet: &Fleet, after: u64, limit: usize) -> (Vec<Happened>, Option<u64>) {
    let run = fleet.load();
    let mut history = History::of(&run, after, limit);
    fleet.stored.items.iter().for_each(|(unit, end)| history.add_end(*unit, end.clone()));
    fleet.stored.entries.iter().for_each(|(n, entry)| history.add_entry(*n, entry.clone()));
    let next = history.next();
    (history.happened(&run), next)
}

fn whole(fleet: &Fleet) -> Vec<Happened> {
    read(fleet, 0, usize::MAX).0
}

/// The run that its history makes, with the ends of its items.
fn replayed(fleet: &Fleet) -> (Run, BTreeMap<Unit, Ended>) {
    let (mut run, advanced) = as_created(&fleet.run);
    let end = |(unit, end): (Unit, Box<Ended>)| (unit, *end);
    let mut items: BTreeMap<Unit, Ended> = advanced.ended_items.into_iter().map(end).collect();
    let (mut history, mut n) = (whole(fleet).into_iter(), 1);
    assert!(matches!(history.next().unwrap().what, What::Created));
    for happened in history {
        n += 1;
        let entry = happened.entry().unwrap_or_else(|| panic!("nothing tells of advance {n}: {happened:?}"));
        assert_eq!((entry.n, happened.n), (n, n));
        let lend = |step| Arc::new(fleet.outputs_apart(step));
        let advanced = replay(&mut run, entry, lend).unwrap_or_else(|refusal| panic!("{entry:?}: {refusal}"));
        assert_eq!(run.last_advance(), n, "{entry:?} has changed nothing");
        items.extend(advanced.ended_items.into_iter().map(end));
    }
    assert_eq!(n, fleet.run.last_advance(), "the history ends too early");
    (run, items)
}

pub(crate) fn assert_replays(fleet: &Fleet) {
    let (run, items) = replayed(fleet);
    assert_same(&run, &fleet.run, "the history makes another run");
    assert_eq!(items, fleet.stored.items, "the history makes other ends of items");
}

fn lending() -> impl Strategy<Value = Lending> {
    prop_oneof![3 => Just(Lending::Wanted), 1 => Just(Lending::All), 1 => Just(Lending::None)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_history_of_a_run_replayed_makes_the_same_run(
        plan in plan(),
        moves in moves(),
        lent in proptest::collection::vec(lending(), 120),
        rest in prop_oneof![3 => Just(Outcome::Succeeded), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Lost)],
    ) {
        let mut fleet = Fleet::start(&plan.order());
        for (one, lending) in moves.iter().zip(lent) {
            fleet.lending = lending;
            one.make(&mut fleet);
        }
        assert_replays(&fleet);
        fleet.lending = Lending::Wanted;
        drain(&mut fleet, rest);
        assert_replays(&fleet);
    }

    #[test]
    fn a_history_that_is_read_in_parts_is_the_same(plan in plan(), moves in moves(), limit in 1usize..9) {
        let mut fleet = Fleet::start(&plan.order());
        moves.iter().for_each(|one| one.make(&mut fleet));
        let (mut parts, mut after) = (Vec::new(), Some(0));
        while let Some(from) = after {
            let (part, next) = read(&fleet, from, limit);
            prop_assert!(part.len() <= limit, "{part:?}");
            parts.extend(part);
            after = next;
        }
        prop_assert_eq!(format!("{parts:?}"), format!("{:?}", whole(&fleet)));
    }
}

#[test]
fn a_run_whose_first_attempts_succeed_has_no_entries() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: f, run: x, foreach: {items: [1, 2, 3]}, depends_on: [a]}\n  \
         - {name: b, run: x, depends_on: [f]}\n  - {name: never, run: x, depends_on: [a], if: 'false'}\n",
    );
    fleet.give("a", &json!({"rows": 7}));
    for item in 0..3 {
        let result = fleet.result(fleet.item("f", item), Outcome::Succeeded);
        fleet.apply(Event::Result(result)).unwrap();
    }
    fleet.end("b", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.stored.entries.len()), ("succeeded", 0));
    assert_replays(&fleet);
}

#[test]
fn outputs_that_were_refused_for_their_size_are_not_kept_and_their_item_fails_again() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: f, run: x, retry: {limit: 2}, foreach: {items: [1, 2], max_parallel: 2, fail_fast: false}}\n",
    );
    let large = "x".repeat(5 * 1024 * 1024);
    for item in 0..2 {
        let outputs = json!({"v": large}).as_object().unwrap().clone();
        let result = fleet.result(fleet.item("f", item), Outcome::Succeeded);
        fleet.apply(Event::Result(TaskResult { outputs, ..result })).unwrap();
    }
    assert_eq!(fleet.state(), "failed");
    let entries: Vec<_> = fleet.stored.entries.values().map(String::len).collect();
    assert!(matches!(entries[..], [bytes] if bytes < 1_000), "{entries:?}");
    assert_replays(&fleet);
}

/// A unit's current attempt succeeds, and gives this.
fn give(fleet: &mut Fleet, unit: Unit, outputs: &Value) {
    let outputs = outputs.as_object().unwrap().clone();
    let result = TaskResult { outputs, ..fleet.result(unit, Outcome::Succeeded) };
    fleet.apply(Event::Result(result)).unwrap();
}

#[test]
fn outputs_that_were_refused_for_their_size_need_not_be_what_is_declared_when_it_is_replayed() {
    for step in [
        "outputs: {v: string}, retry: {limit: 1}",
        "repeat: {until: outputs.f.v != '', max: 2}",
        "retry: {limit: 1, then: ask}",
    ] {
        let mut fleet = Fleet::of(&format!(
            "name: w\nsteps:\n  - {{name: f, run: x, {step}, foreach: {{items: [1, 2], fail_fast: false}}}}\n"
        ));
        let large = json!({"v": "x".repeat(5 * 1024 * 1024)});
        for item in 0..2 {
            let unit = fleet.item("f", item);
            give(&mut fleet, unit, &large);
        }
        assert_eq!(fleet.state(), "failed", "{step}");
        let entries: Vec<_> = fleet.stored.entries.values().map(String::len).collect();
        assert!(!entries.is_empty() && entries.iter().all(|bytes| *bytes < 1_000), "{step}: {entries:?}");
        assert_replays(&fleet);
    }
}

#[test]
fn large_outputs_are_told_by_the_end_of_their_step_and_not_once_more() {
    for step in ["", "outputs: {v: string}, retry: {limit: 1}, ", "retry: {limit: 1, then: ask}, "] {
        let mut fleet = Fleet::of(&format!(
            "name: w\nsteps:\n  - {{name: a, {step}run: x}}\n  \
             - {{name: b, depends_on: [a], run: x, env: {{N: \"${{{{ outputs.a.v | length }}}}\"}}}}\n"
        ));
        let unit = fleet.index("a").into();
        give(&mut fleet, unit, &json!({"v": "x".repeat(100_000)}));
        fleet.fire();
        assert_eq!(fleet.task("b").env["N"], "100000");
        fleet.end("b", Outcome::Succeeded);
        let bytes: usize = fleet.stored.entries.values().map(String::len).sum();
        assert!(bytes < 1_000, "{step}: {:?}", fleet.stored.entries);
        assert_replays(&fleet);
    }
}

#[test]
fn large_outputs_that_were_refused_are_refused_again() {
    let large = json!({"v": "x".repeat(600_000)});
    for step in [
        "outputs: {v: int}",
        "repeat: {until: outputs.a.v != '', max: 2}",
        "outputs: {v: int}, retry: {limit: 1}",
    ] {
        let mut fleet = Fleet::of(&format!("name: w\nsteps:\n  - {{name: a, {step}, run: x}}\n"));
        while fleet.state() == "running" {
            match fleet.stands("a") {
                "dispatched" => {
                    let unit = fleet.index("a").into();
                    give(&mut fleet, unit, &large);
                }
                _ => drop(fleet.fire()),
            }
        }
        assert_eq!(fleet.state(), "failed");
        let bytes: usize = fleet.stored.entries.values().map(String::len).sum();
        assert!(bytes < 2_000, "{step}: {bytes}");
        assert_replays(&fleet);
    }
}

#[test]
fn outputs_that_are_not_what_is_declared_are_refused_for_that_again() {
    for fan in ["", "foreach: {items: [1]}, "] {
        let mut fleet =
            Fleet::of(&format!("name: w\nsteps:\n  - {{name: a, {fan}run: x, outputs: {{v: int}}}}\n"));
        let unit = if fan.is_empty() { fleet.index("a").into() } else { fleet.item("a", 0) };
        give(&mut fleet, unit, &json!({"v": "many"}));
        assert_eq!(fleet.state(), "failed");
        assert_replays(&fleet);
    }
}

#[test]
fn a_history_says_why_a_step_is_done_again_and_of_what_somebody_is_asked() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: poll, run: x, repeat: {until: outputs.poll.v == 1, max: 3, delay: 1s}}\n  \
         - {name: a, run: x, depends_on: [poll], outputs: {v: int}, retry: {limit: 1, delay: 1s, then: ask}}\n",
    );
    fleet.give("poll", &json!({"v": 0}));
    fleet.fire();
    fleet.give("poll", &json!({"v": 1}));
    fleet.give("a", &json!({}));
    fleet.fire();
    fleet.give("a", &json!({}));
    fleet.fire();
    assert_eq!(
        told(&fleet)[1..],
        [
            "2 result: attempt 1 of poll succeeded on worker-1; another attempt follows: this is not true yet: outputs.poll.v == 1",
            "3 retry_due: the retry of poll is due",
            "4 result: attempt 2 of poll succeeded on worker-1",
            "5 result: attempt 1 of a succeeded on worker-1; another attempt follows: output `v` is missing: expected a whole number of 64 bits",
            "6 retry_due: the retry of a is due",
            "7 result: attempt 2 of a succeeded on worker-1; somebody is asked what is to become of it: output `v` is missing: expected a whole number of 64 bits",
            "8 time_due: nobody has said in time what is to become of a",
            "8 step_ended: a failed: output `v` is missing: expected a whole number of 64 bits; nobody said in time what is to become of it",
            "8 run_ended: the run failed: step a: output `v` is missing: expected a whole number of 64 bits; nobody said in time what is to become of it",
        ]
    );
    assert_replays(&fleet);
}

#[test]
fn a_step_that_began_because_another_was_lent_what_it_uses_begins_again() {
    let source = "name: w\nsteps:\n  - {name: f, run: x, foreach: {items: [1]}}\n  - {name: a, run: x}\n  \
                  - {name: b, run: x, depends_on: [f, a], env: {V: '${{ outputs.f | length }}'}}\n";
    for (lending, entries) in [(Lending::Wanted, 1), (Lending::All, 1)] {
        let mut fleet = Fleet::of(source);
        let result = fleet.result(fleet.item("f", 0), Outcome::Succeeded);
        fleet.apply(Event::Result(result)).unwrap();
        fleet.lending = lending;
        fleet.end("a", Outcome::Succeeded);
        assert_replays(&fleet);
        fleet.lending = Lending::Wanted;
        drain(&mut fleet, Outcome::Succeeded);
        assert_eq!(fleet.stored.entries.len(), entries, "{:?}", fleet.stored.entries);
        assert_replays(&fleet);
    }
}

/// The history in words, as `n kind text`.
pub(crate) fn told(fleet: &Fleet) -> Vec<String> {
    let lines = whole(fleet).into_iter().flat_map(|happened| {
        let n = happened.n;
        happened.told(&fleet.run).into_iter().map(move |told| format!("{n} {}: {}", told.kind, told.text))
    });
    lines.collect()
}

#[test]
fn a_history_names_the_cause_of_all_that_happened_and_what_followed() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: extract, run: x, retry: {limit: 1, delay: 2s}}\n  \
         - {name: load, run: x, depends_on: [extract]}\n  - {name: other, run: x}\n",
    );
    let mut failed = fleet.result(fleet.index("extract"), Outcome::Failed);
    failed.reason = Some("exit code 3".to_owned());
    fleet.apply(Event::Result(failed.clone())).unwrap();
    fleet.fire();
    fleet.lose("other");
    failed.attempt = 2;
    fleet.apply(Event::Result(failed)).unwrap();
    fleet.cancel();
    let attempt = fleet.current[&Unit::from(fleet.index("other"))];
    fleet.apply(Event::Revoked { unit: fleet.index("other").into(), attempt, unclaimed: false }).unwrap();
    assert_eq!(
        told(&fleet),
        [
            "1 created: created through the API or by a command",
            "2 result: attempt 1 of extract failed on worker-1: exit code 3; another attempt follows",
            "3 retry_due: the retry of extract is due",
            "4 lost: attempt 1 of other was lost: its worker on host-1 went away; another attempt follows",
            "5 result: attempt 2 of extract failed on worker-1: exit code 3",
            "5 step_ended: load was skipped: step extract did not succeed",
            "6 cancel: cancelled: stopped by hand",
            "7 revoked: attempt 2 of other was taken back",
            "7 step_ended: other was cancelled: stopped by hand",
            "7 run_ended: the run was cancelled: stopped by hand",
        ]
    );
    assert_replays(&fleet);
}

#[test]
fn what_nobody_noted_and_what_only_a_newer_version_knows_is_said() {
    let mut fleet = Fleet::of("name: w\nsteps:\n  - {name: a, run: x, retry: {limit: 3}}\n");
    for _ in 0..2 {
        fleet.end("a", Outcome::Failed);
        fleet.fire();
    }
    fleet.end("a", Outcome::Succeeded);
    fleet.stored.entries.remove(&3);
    fleet.stored.entries.remove(&4);
    fleet
        .stored
        .entries
        .insert(2, r#"{"n":2,"at":1772407801000,"event":{"approved":{"by":"ada"}}}"#.to_owned());
    assert_eq!(
        told(&fleet)[1..4],
        [
            "2 unknown: something happened that only a newer version knows",
            "3 not_noted: what happened was not noted, in 2 changes up to 4",
            "5 retry_due: the retry of a is due",
        ]
    );
    let happened = &whole(&fleet)[1];
    assert_eq!(happened.at.map(|at| at.as_millis()), Some(1_772_407_801_000));
}

#[test]
fn an_entry_with_fields_that_are_not_known_is_read() {
    let text =
        r#"{"n":2,"at":5,"by":"x","event":{"lost":{"unit":{"step":0,"shard":1},"attempt":1,"host":"h"}}}"#;
    let entry: millrace_domain::run::history::Entry = serde_json::from_str(text).unwrap();
    let unit = Unit::from(StepIndex(0));
    assert_eq!(entry.event, Event::Lost { unit, attempt: 1, reason: String::new() });
    let due: Value = serde_json::to_value(Event::StartDue).unwrap();
    assert_eq!(due, json!("start_due"));
}

#[test]
fn a_run_whose_outputs_were_read_says_so() {
    let source = "name: w\nsteps: [{name: a, run: x}]\noutputs: {size: \"${{ outputs.a.text|length }}\"}\n";
    let mut fleet = Fleet::of(source);
    fleet.give("a", &json!({"text": "x".repeat(70_000)}));
    fleet.fire();
    assert_replays(&fleet);
    assert_eq!(
        told(&fleet)[2..],
        [
            "3 start_due: what the outputs of the run use was read".to_owned(),
            "3 run_ended: the run succeeded".to_owned()
        ]
    );
}
