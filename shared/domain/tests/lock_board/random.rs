//! Random letters to a board.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::lock::{Ask, Asker, Holder, Want};
use millrace_domain::{Priority, TaskId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::model::{Told, is_above};
use crate::table::{Table, holder, run, unit, want, workflow};

/// How many cases are tried: some hundreds, or as many as `MILLRACE_CASES` says.
pub(crate) fn cases() -> u32 {
    std::env::var("MILLRACE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

#[derive(Debug, Clone)]
enum Move {
    /// A unit of a run asks for its next attempt, or says so once more than it has.
    Ask(Drawn),
    /// A letter that was sent comes again, whatever came after it.
    Again(usize),
    /// The attempt of a letter is over: it is taken back.
    Release(usize),
    /// An entry that is there is taken back.
    Leave(usize),
    /// So many milliseconds pass.
    Pass(u64),
    TellDue(usize),
    Restore,
}

#[derive(Debug, Clone)]
struct Drawn {
    run: usize,
    unit: usize,
    /// Whether the letter comes late: one that was sent after it is there before.
    late: bool,
    wants: Vec<(usize, u32, bool)>,
    priority: Priority,
    waited: u64,
    version: u32,
    disagrees: bool,
}

/// What the asks of a case are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Runs that are in others.
    Nesting,
    /// Versions of workflows that do not agree.
    Versions,
}

const LOCKS: [&str; 4] = ["g/one", "g/two", "g/four", "g/other"];

fn drawn() -> impl Strategy<Value = Drawn> {
    let wants = proptest::collection::vec((0usize..4, 1u32..5, proptest::bool::weighted(0.3)), 1..4);
    let what = (0usize..12, 0usize..2, proptest::bool::weighted(0.2), wants);
    let how =
        (proptest::sample::select(&Priority::ALL[..]), 0u64..5_000, 1u32..4, proptest::bool::weighted(0.1));
    (what, how).prop_map(|((run, unit, late, wants), (priority, waited, version, disagrees))| Drawn {
        run,
        unit,
        late,
        wants,
        priority,
        waited,
        version,
        disagrees,
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        30 => drawn().prop_map(Move::Ask),
        6 => any::<usize>().prop_map(Move::Again),
        6 => any::<usize>().prop_map(Move::Release),
        10 => any::<usize>().prop_map(Move::Leave),
        4 => (0u64..90_000).prop_map(Move::Pass),
        3 => (1usize..4).prop_map(Move::TellDue),
        3 => Just(Move::Restore),
    ];
    proptest::collection::vec(one, 1..80)
}

/// The run, and the unit of it, that waits for the run of this number: four are in none, four in these, and four in those.
fn parent(n: usize) -> Option<(usize, usize)> {
    n.checked_sub(4).map(|up| (up, up % 2))
}

impl Drawn {
    fn ask(&self, about: About, table: &Table, attempt: u32) -> Ask {
        let mut above = Vec::new();
        let mut next = parent(self.run).filter(|_| about == About::Nesting);
        while let Some((of, by)) = next {
            above.insert(0, holder(of, by));
            next = parent(of);
        }
        let mut wants: Vec<Want> = Vec::new();
        // Who is refused by a lock that has fewer slots by now may be who says how many another has: it is one lock then, so that
        // there is one order of things.
        let most = if about == About::Versions { 1 } else { 3 };
        for (lock, weight, shared) in self.wants.iter().take(most) {
            let slots = match about {
                About::Nesting => [1, 2, 4, 1][*lock],
                // What the versions say, and what somebody says who does not agree.
                About::Versions => 1 + (self.version + *lock as u32) % 3 + u32::from(self.disagrees),
            };
            let shared = *shared && slots == 1;
            let weight = if slots == 1 { 1 } else { 1 + weight % slots };
            if wants.iter().all(|want| want.lock.as_str() != LOCKS[*lock]) {
                wants.push(Want { shared, ..want(LOCKS[*lock], slots, weight) });
            }
        }
        let of = if about == About::Versions { self.run / 6 } else { self.run };
        Ask {
            asker: TaskId { run: run(self.run), unit: unit(self.unit), attempt }.into(),
            wants: wants.into(),
            priority: self.priority,
            since: table.now - Duration::from_millis(self.waited),
            workflow: workflow(&format!("workflow_{of}")),
            version: Some(self.version).filter(|version| *version > 1),
            step: Some(format!("step_{}_{}", self.run, self.unit).parse().unwrap()),
            above,
            at_limit: None,
        }
    }
}

/// Whether such a letter can be there: nobody asks while a run is under way that it waits for, and no run is under way while
/// whoever waits for it has not been granted what it asked for.
pub(crate) fn can_be(table: &Table, ask: &Ask) -> bool {
    let holder = ask.asker.holder();
    let entries = &table.model.entries;
    let is_known =
        table.model.entry(holder).is_some_and(|entry| entry.ask.asker.attempt >= ask.asker.attempt);
    let waits = |above: &Holder| table.model.entry(*above).is_some_and(|entry| entry.grant.is_none());
    is_known || (!entries.iter().any(|entry| is_above(holder, entry)) && !ask.above.iter().any(waits))
}

fn play(about: About, moves: &[Move]) -> Table {
    let mut table = Table::new();
    let mut sent: Vec<Ask> = Vec::new();
    let mut attempts: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for one in moves {
        match one {
            Move::Ask(drawn) => {
                let attempt = attempts.entry((drawn.run, drawn.unit)).or_default();
                *attempt += 1;
                let ask = drawn.ask(about, &table, *attempt);
                if !drawn.late && can_be(&table, &ask) {
                    let told = table.ask(&ask);
                    // The same letter is answered with the grant, or with nothing while it waits.
                    let is_told =
                        told.iter().any(|told| matches!(told, Told::Granted(task, _) if *task == ask.asker));
                    let is_refused =
                        told.iter().any(|told| matches!(told, Told::Refused(task, _) if *task == ask.asker));
                    if !is_refused {
                        assert_eq!(table.ask(&ask).len(), usize::from(is_told));
                    }
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
                let task = table.model.entries[pick % table.model.entries.len()].ask.asker;
                table.release(task);
            }
            Move::Pass(millis) => table.now = table.now + Duration::from_millis(*millis),
            Move::TellDue(limit) => table.tell_due(*limit),
            Move::Restore => table.restore(),
            _ => {}
        }
    }
    table
}

/// The tokens of a lock do not fall.
pub(crate) fn check_tokens(table: &Table) {
    let mut first: BTreeMap<Asker, u64> = BTreeMap::new();
    let mut last = 0;
    for told in &table.told {
        let Told::Granted(task, token) = told else { continue };
        // Whoever asked for the same attempt after it was taken back has another grant.
        if first.get(task).is_none_or(|before| before < token) {
            assert!(last <= *token, "{task:?}: a token that falls");
            last = *token;
            first.insert(*task, *token);
        }
        assert_eq!(first[task], *token, "{task:?}: another token");
    }
}

/// Random letters would prove little if they never came to what they are about.
#[test]
fn random_letters_come_to_all_that_a_board_does() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for about in [About::Nesting, About::Versions] {
        for _ in 0..300 {
            let table = play(about, &moves().new_tree(&mut runner).unwrap().current());
            let words = table.told.iter().map(|told| match told {
                Told::Granted(..) => format!("{about:?} granted"),
                Told::Refused(_, why) => format!("{about:?} refused: {why:?}"),
                Told::Displaced(..) => unreachable!("no step is displaced"),
            });
            let entries = table.model.entries.iter();
            let stands = entries.map(|entry| match (entry.nested, entry.grant) {
                (true, None) => "a run in another waits".to_owned(),
                (true, Some(_)) => "a run in another holds".to_owned(),
                (false, None) => format!("{about:?} waits"),
                (false, Some(_)) => format!("{about:?} holds"),
            });
            words.chain(stands).for_each(|what| *seen.entry(what).or_default() += 1);
        }
    }
    let kinds = [
        "Nesting granted",
        "Nesting refused: Deadlock",
        "Versions granted",
        "Versions refused: Conflict",
        "Versions refused: TooMuch",
        "Versions waits",
        "a run in another waits",
        "a run in another holds",
    ];
    for kind in kinds {
        assert!(seen.get(kind).is_some_and(|count| *count >= 10), "{kind}: {seen:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_board_of_runs_within_runs_does_what_the_model_does_and_nobody_waits_for_ever(moves in moves()) {
        let mut table = play(About::Nesting, &moves);
        table.drain();
        check_tokens(&table);
    }

    #[test]
    fn a_board_of_versions_that_do_not_agree_does_what_the_model_does(moves in moves()) {
        let mut table = play(About::Versions, &moves);
        table.drain();
        check_tokens(&table);
    }
}
