//! Random letters of runs that ask a board for slots of their workflows.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::Priority;
use millrace_domain::lock::{Ask, AtLimit, Holder, OnFull};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::model::{Told, told_of};
use crate::random::{can_be, cases, check_tokens};
use crate::slots::{ask_of, name};
use crate::table::Table;

#[derive(Debug, Clone)]
enum Move {
    /// One more run asks, or will: its letter is late, and another may come before it.
    Ask(Drawn),
    /// A letter that was sent comes again, or at last, whatever came after it.
    Again(usize),
    /// The run of a letter has ended, and gives back what it has or wants: once more, where it has done so.
    Release(usize),
    /// A run that is there ends, or somebody takes away what it has.
    Leave(usize),
    /// A run that was told to end does so.
    Obey(usize),
    Pass(u64),
    TellDue(usize),
    Restore,
}

#[derive(Debug, Clone)]
struct Drawn {
    workflow: usize,
    key: usize,
    /// The run that it is in: one of those that hold a slot, where this is less than that many.
    inside: usize,
    policy: AtLimit,
    priority: Priority,
    waited: u64,
    version: u32,
    late: bool,
}

/// What the asks of a case are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Versions of workflows with other limits and policies, and runs with keys.
    Versions,
    /// Runs that are in others.
    Nesting,
}

fn policy() -> impl Strategy<Value = AtLimit> {
    let bounded = |on_full, least| {
        (least..3u32).prop_map(move |most| AtLimit::Queue { max_queued: Some(most), on_full })
    };
    prop_oneof![
        5 => Just(AtLimit::default()),
        2 => bounded(OnFull::Reject, 0),
        3 => bounded(OnFull::DropOldest, 1),
        2 => bounded(OnFull::Merge, 1),
        2 => Just(AtLimit::Skip),
        1 => Just(AtLimit::Fail),
        4 => Just(AtLimit::Replace),
    ]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let what = (0usize..2, 0usize..3, 0usize..6, policy());
    let how =
        (proptest::sample::select(&Priority::ALL[..]), 0u64..5_000, 1u32..4, proptest::bool::weighted(0.15));
    (what, how).prop_map(|((workflow, key, inside, policy), (priority, waited, version, late))| Drawn {
        workflow,
        key,
        inside,
        policy,
        priority,
        waited,
        version,
        late,
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        30 => drawn().prop_map(Move::Ask),
        6 => any::<usize>().prop_map(Move::Again),
        5 => any::<usize>().prop_map(Move::Release),
        8 => any::<usize>().prop_map(Move::Leave),
        4 => any::<usize>().prop_map(Move::Obey),
        4 => (0u64..90_000).prop_map(Move::Pass),
        3 => (1usize..4).prop_map(Move::TellDue),
        3 => Just(Move::Restore),
    ];
    proptest::collection::vec(one, 1..80)
}

impl Drawn {
    /// The only ask of a run, which is sent as often as the run asks.
    fn ask(&self, about: About, table: &Table, n: usize) -> Ask {
        let (key, version, slots) = match about {
            About::Versions => {
                let key = ["eu", "us: ä/1"].get(self.key).copied();
                (key, self.version, 1 + (self.version + self.workflow as u32) % 3)
            }
            // Slots that become fewer while runs in others wait are another matter.
            About::Nesting => (None, 1, 1 + self.workflow as u32),
        };
        let holders = table.model.entries.iter().filter(|entry| entry.grant.is_some());
        let inside = holders.filter(|_| about == About::Nesting).nth(self.inside);
        let above = inside.map(|entry| {
            let own = Holder::of_run(entry.ask.asker.run);
            entry.ask.above.iter().copied().chain([own]).collect()
        });
        Ask {
            priority: self.priority,
            since: table.now - Duration::from_millis(self.waited),
            version: Some(version).filter(|version| *version > 1),
            above: above.unwrap_or_default(),
            ..ask_of(n, &name(&format!("w{}", self.workflow), key), slots, self.policy)
        }
    }
}

fn play(about: About, moves: &[Move]) -> Table {
    let mut table = Table::new();
    let mut sent: Vec<Ask> = Vec::new();
    for one in moves {
        match one {
            Move::Ask(drawn) => {
                let ask = drawn.ask(about, &table, sent.len());
                if !drawn.late && can_be(&table, &ask) {
                    table.ask(&ask);
                    ask_again(&mut table, &ask);
                }
                sent.push(ask);
            }
            Move::Again(pick) if !sent.is_empty() => {
                let ask = &sent[pick % sent.len()];
                if can_be(&table, ask) {
                    table.ask(ask);
                }
            }
            Move::Release(pick) if !sent.is_empty() => drop(table.release(sent[pick % sent.len()].asker)),
            Move::Leave(pick) if !table.model.entries.is_empty() => {
                let asker = table.model.entries[pick % table.model.entries.len()].ask.asker;
                table.release(asker);
            }
            Move::Obey(pick) => {
                let told = table.model.entries.iter().filter(|entry| entry.replaced_by.is_some());
                let told: Vec<_> = told.map(|entry| entry.ask.asker).collect();
                if !told.is_empty() {
                    table.release(told[pick % told.len()]);
                }
            }
            Move::Pass(millis) => table.now = table.now + Duration::from_millis(*millis),
            Move::TellDue(limit) => table.tell_due(*limit),
            Move::Restore => table.restore(),
            _ => {}
        }
    }
    table
}

/// The same ask once more is answered with what the run has, or that it is to end, or with nothing while it waits.
fn ask_again(table: &mut Table, ask: &Ask) {
    let stands = table.model.entry(ask.asker.holder()).cloned();
    if let Some(entry) = stands {
        assert_eq!(table.ask(ask), told_of(&entry).into_iter().collect::<Vec<_>>());
    }
}

/// Random letters would prove little if they never came to what they are about.
#[test]
fn random_letters_of_runs_come_to_all_that_becomes_of_them() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for about in [About::Nesting, About::Versions] {
        for _ in 0..300 {
            let table = play(about, &moves().new_tree(&mut runner).unwrap().current());
            let words = table.told.iter().map(|told| match told {
                Told::Granted(..) => format!("{about:?} granted"),
                Told::Displaced(..) => format!("{about:?} displaced"),
                Told::Refused(_, why) => format!("{about:?} refused: {why:?}"),
            });
            let entries = table.model.entries.iter();
            let stands = entries.map(|entry| match (entry.nested, entry.grant, entry.replaced_by) {
                (true, None, _) => "a run in another waits".to_owned(),
                (true, Some(_), None) => "a run in another holds".to_owned(),
                (true, Some(_), Some(_)) => "a run in another is to end".to_owned(),
                (false, None, _) => format!("{about:?} waits"),
                (false, Some(_), None) => format!("{about:?} holds"),
                (false, Some(_), Some(_)) => format!("{about:?} is to end"),
            });
            words.chain(stands).for_each(|what| *seen.entry(what).or_default() += 1);
        }
    }
    let mut kinds: Vec<String> = vec!["Nesting refused: Deadlock".to_owned()];
    for about in [About::Nesting, About::Versions] {
        let refused = ["Skip", "Fail", "Full", "Merged", "Dropped", "Replaced"];
        kinds.extend(refused.map(|why| format!("{about:?} refused: {why}")));
        kinds.extend(
            ["granted", "displaced", "waits", "holds", "is to end"].map(|what| format!("{about:?} {what}")),
        );
    }
    kinds.extend(["waits", "holds", "is to end"].map(|what| format!("a run in another {what}")));
    for kind in kinds {
        assert!(seen.get(&kind).is_some_and(|count| *count >= 10), "{kind}: {seen:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_board_of_slots_of_several_versions_and_policies_does_what_the_model_does(moves in moves()) {
        let mut table = play(About::Versions, &moves);
        table.drain();
        check_tokens(&table);
    }

    #[test]
    fn a_board_of_slots_of_runs_within_runs_does_what_the_model_does_and_nobody_waits_for_ever(moves in moves()) {
        let mut table = play(About::Nesting, &moves);
        table.drain();
        check_tokens(&table);
    }
}
