//! Random letters to a board of rates: many that ask for few keys, start late or never, use less or more than they said, and
//! letters that come twice, late or in another order.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::Priority;
use millrace_domain::lock::{Ask, Asker, Used, Want};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::random::cases;
use crate::rate_model::Key;
use crate::rate_table::{RateTable, ask, rate};
use crate::table::workflow;

#[derive(Debug, Clone)]
enum Move {
    /// A run asks for its next attempt, or its letter is late.
    Ask(Drawn),
    /// So many runs ask at once, one after the other.
    Crowd(Drawn, usize),
    /// A letter that was sent comes again, or at last, whatever came after it.
    Again(usize),
    /// The attempt of a letter starts, or is said to.
    Started(usize),
    /// All that hold what they want of a rate start now.
    AllStart(usize),
    /// The attempt of a letter is over.
    Release(usize, Spent),
    /// Somebody who is there gives back what it has, or wants.
    Leave(usize, Spent),
    /// So much time passes, in parts of a thousand of the period of a rate.
    Pass(usize, u64),
    /// It passes, and whatever is due is done at once.
    PassUntil(usize, u64),
    TellDue(usize),
    Settle,
    Restore,
}

/// Of the parts of what a rate allows the one that costs 1.
const LEAST: u64 = 1_000;

#[derive(Debug, Clone)]
struct Drawn {
    run: usize,
    key: usize,
    /// In parts of a hundred of what the rate allows.
    cost: u64,
    priority: Priority,
    waited: u64,
    version: u32,
    late: bool,
    disagrees: bool,
}

/// What somebody says who gives back its reserve: in parts of a hundred of that, and so long ago, in parts of a thousand.
#[derive(Debug, Clone)]
struct Spent {
    said: bool,
    much: u64,
    ago: u64,
    pause: Option<u64>,
}

/// What the letters of a case are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// Nobody uses more than it said, and all agree on what there is.
    Honest,
    /// Some use more than they said, and have others pause.
    Greedy,
    /// Versions of workflows that do not agree, and others that do not.
    Versions,
}

#[derive(Debug, Clone)]
struct Case {
    rates: Vec<(u32, Duration)>,
    runs: usize,
    moves: Vec<Move>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let cost = prop_oneof![
        8 => Just(LEAST),
        8 => 1u64..30,
        3 => 30u64..101,
        2 => Just(100u64),
        1 => Just(0u64),
        1 => 101u64..200,
    ];
    let how = (proptest::sample::select(&Priority::ALL[..]), 0u64..5_000, 1u32..4);
    let odd = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    (any::<usize>(), any::<usize>(), cost, how, odd).prop_map(
        |(run, key, cost, (priority, waited, version), (late, disagrees))| Drawn {
            run,
            key,
            cost,
            priority,
            waited,
            version,
            late,
            disagrees,
        },
    )
}

fn spent() -> impl Strategy<Value = Spent> {
    let much = prop_oneof![2 => Just(0u64), 3 => Just(100u64), 4 => 0u64..101];
    let ago = prop_oneof![3 => Just(0u64), 3 => 0u64..1_500];
    let pause = proptest::option::weighted(0.1, 1u64..2_000);
    (proptest::bool::weighted(0.7), much, ago, pause).prop_map(|(said, much, ago, pause)| Spent {
        said,
        much,
        ago,
        pause,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let any = any::<usize>;
    let one = prop_oneof![
        20 => drawn().prop_map(Move::Ask),
        3 => (drawn(), prop_oneof![1usize..20, 1usize..300]).prop_map(|(drawn, many)| Move::Crowd(drawn, many)),
        4 => any().prop_map(Move::Again),
        12 => any().prop_map(Move::Started),
        5 => any().prop_map(Move::AllStart),
        6 => (any(), spent()).prop_map(|(pick, spent)| Move::Release(pick, spent)),
        12 => (any(), spent()).prop_map(|(pick, spent)| Move::Leave(pick, spent)),
        10 => (any(), prop_oneof![3 => 0u64..30, 2 => 0u64..600, 1 => 0u64..3_000]).prop_map(|(key, part)| Move::Pass(key, part)),
        6 => (any(), 0u64..2_500).prop_map(|(key, part)| Move::PassUntil(key, part)),
        3 => (1usize..4).prop_map(Move::TellDue),
        4 => Just(Move::Settle),
        3 => Just(Move::Restore),
    ];
    let limit = prop_oneof![4 => 1u32..20, 3 => 20u32..400, 1 => 400u32..2_000, 1 => Just(1_000_000_000u32)];
    let per = [1, 7, 100, 150, 1_000, 12_345, 60_000, 3_600_000, 86_400_000];
    let per = proptest::sample::select(per.map(Duration::from_millis).to_vec());
    let rates = proptest::collection::vec((limit, per), 1..4);
    let runs = prop_oneof![1usize..12, 1usize..100, 1usize..1_001];
    (rates, runs, proptest::collection::vec(one, 1..250)).prop_map(|(rates, runs, moves)| Case {
        rates,
        runs,
        moves,
    })
}

struct Play<'c> {
    about: About,
    case: &'c Case,
    table: RateTable,
    sent: Vec<Ask>,
    attempts: BTreeMap<usize, u32>,
}

impl Play<'_> {
    fn asks(&mut self, drawn: &Drawn) {
        let run = drawn.run % self.case.runs;
        let attempt = self.attempts.entry(run).or_default();
        *attempt += 1;
        let key = drawn.key % self.case.rates.len();
        let (mut limit, per) = self.case.rates[key];
        let is_odd = self.about == About::Versions;
        if is_odd {
            limit = limit.saturating_add(drawn.version % 3 + u32::from(drawn.disagrees)).min(1_000_000_000);
        }
        let cost = match drawn.cost {
            0 => 0,
            LEAST => 1,
            part => (u64::from(limit) * part / 100).max(1) as u32,
        };
        let of = if is_odd { run / 6 } else { run };
        let ask = Ask {
            priority: drawn.priority,
            since: self.table.now - Duration::from_millis(drawn.waited),
            version: Some(if is_odd { drawn.version } else { 1 }).filter(|version| *version > 1),
            workflow: workflow(&format!("workflow_{of}")),
            ..ask(run, *attempt, &Want::of_rate(rate(&key.to_string()), limit, per, cost))
        };
        if !drawn.late {
            self.table.ask(&ask);
        }
        self.sent.push(ask);
    }

    fn pick(&self, pick: usize) -> Option<&Ask> {
        // Those of late more often: the others are gone.
        let many = self.sent.len().min(if pick.is_multiple_of(4) { usize::MAX } else { 20 });
        let place = pick.checked_rem(many)?;
        self.sent.get(self.sent.len() - 1 - place)
    }

    fn part(&self, key: usize, part: u64) -> Duration {
        let (_, per) = self.case.rates[key % self.case.rates.len()];
        Duration::from_millis(per.as_millis() as u64 * part / 1_000)
    }

    fn release(&mut self, asker: Asker, spent: &Spent) {
        let one = self.table.model.ones.get(&asker.holder());
        let Some(weight) = one.map(|one| u64::from(one.want().weight)) else {
            return self.table.release(asker, None);
        };
        let per = one.unwrap().want().per().as_millis() as u64;
        let (much, pause) = match self.about {
            About::Honest => (spent.much, None),
            _ => (spent.much * 3, spent.pause),
        };
        let used = Used {
            cost: weight * much / 100,
            at: self.table.now - Duration::from_millis(per * spent.ago / 1_000),
            retry_after_ms: pause.map(|part| per * part / 1_000),
        };
        self.table.release(asker, Some(used).filter(|_| spent.said));
    }

    fn play(&mut self, one: &Move) {
        match one {
            Move::Ask(drawn) => self.asks(drawn),
            Move::Crowd(drawn, many) => {
                for n in 0..*many {
                    let run = (drawn.run % self.case.runs) + n;
                    self.asks(&Drawn { run, late: false, ..drawn.clone() });
                }
            }
            Move::Again(pick) => {
                if let Some(ask) = self.pick(*pick).cloned() {
                    self.table.ask(&ask);
                }
            }
            Move::Started(pick) => {
                if let Some(asker) = self.pick(*pick).map(|ask| ask.asker) {
                    self.table.started(asker);
                }
            }
            Move::AllStart(key) => {
                let rate = rate(&(key % self.case.rates.len()).to_string());
                let ones = self.table.model.ones.values();
                let ones = ones.filter(|one| one.want().lock == rate && one.granted.is_some());
                let askers: Vec<Asker> = ones.map(|one| one.ask.asker).collect();
                askers.into_iter().for_each(|asker| self.table.started(asker));
            }
            Move::Release(pick, spent) => {
                if let Some(asker) = self.pick(*pick).map(|ask| ask.asker) {
                    self.release(asker, spent);
                }
            }
            Move::Leave(pick, spent) => {
                let ones = &self.table.model.ones;
                let place = pick.checked_rem(ones.len());
                if let Some(one) = place.and_then(|place| ones.values().nth(place)) {
                    self.release(one.ask.asker, spent);
                }
            }
            Move::Pass(key, part) => self.table.pass(self.part(*key, *part).as_millis() as u64),
            Move::PassUntil(key, part) => {
                // Each stretch of a short period in a long time would be a look of its own.
                let part = self.part(*key, *part).min(Duration::from_secs(3_600));
                self.table.pass_until(self.table.now + part);
            }
            Move::TellDue(limit) => self.table.tell_due(*limit),
            Move::Settle => self.table.settle(),
            Move::Restore => self.table.restore(),
        }
    }
}

fn play(about: About, case: &Case) -> RateTable {
    let mut play = Play { about, case, table: RateTable::new(), sent: Vec::new(), attempts: BTreeMap::new() };
    case.moves.iter().for_each(|one| play.play(one));
    play.table.check_rows();
    play.table
}

/// Random letters would prove little if they never came to what they are about.
#[test]
fn random_letters_about_rates_come_to_all_that_a_board_does_with_them() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for about in [About::Honest, About::Greedy, About::Versions] {
        for _ in 0..100 {
            let table = play(about, &case().new_tree(&mut runner).unwrap().current());
            let mut note = |what, many| *seen.entry(what).or_default() += many;
            let ones = || table.model.ones.values();
            note("granted", table.granted.len());
            note("waits", ones().filter(|one| one.granted.is_none()).count());
            note("holds a reserve", ones().filter(|one| one.granted.is_some() && one.used.is_none()).count());
            note("has started", ones().filter(|one| one.used.is_some()).count());
            let keys = || table.model.keys.iter();
            note("drawn together", keys().filter(|(_, key)| key.is_drawn).count());
            note("paused", keys().filter(|(_, key)| key.paused_until > table.now).count());
            let is_over = |rate, key: &Key| {
                key.used(table.now, false) > u128::from(table.model.limit(rate))
                    && table.model.first(rate).is_some()
            };
            note("waits since too much was used", keys().filter(|(rate, key)| is_over(rate, key)).count());
            let refused = |what: &str| table.refused.iter().filter(|(_, why)| why.contains(what)).count();
            note("refused for another", refused("say the same in both"));
            note("refused for too much", refused("which allows"));
            note("refused for too much by now", refused("by now"));
            note("crowds", usize::from(table.model.ones.len() > 300));
        }
    }
    let kinds = [
        ("granted", 10_000),
        ("waits", 1_000),
        ("holds a reserve", 1_000),
        ("has started", 1_000),
        ("drawn together", 20),
        ("paused", 10),
        ("waits since too much was used", 10),
        ("refused for another", 100),
        ("refused for too much", 100),
        ("refused for too much by now", 3),
        ("crowds", 5),
    ];
    for (kind, least) in kinds {
        assert!(seen.get(kind).is_some_and(|count| *count >= least), "{kind}: {seen:?}");
    }
}

/// The clock is set back, and those that wait ask again: whoever is first of them has what it wants a period later.
fn set_clock_back(table: &mut RateTable, by: Duration) {
    table.model.note_clock(table.now);
    table.now = table.now - by;
    table.clock_was_set = true;
    let ones: Vec<Ask> = table.model.ones.values().map(|one| one.ask.clone()).collect();
    for ask in &ones {
        table.ask(ask);
    }
    loop {
        let held = table.model.ones.values().filter(|one| one.granted.is_some());
        let held: Vec<Asker> = held.map(|one| one.ask.asker).collect();
        if held.is_empty() {
            break;
        }
        held.into_iter().for_each(|asker| table.release(asker, None));
    }
    let firsts =
        table.model.keys.iter().filter_map(|(rate, key)| Some((table.model.first(rate)?.ask.asker, key.per)));
    let mut firsts: Vec<(Asker, Duration)> = firsts.collect();
    firsts.sort_by_key(|(_, per)| *per);
    let asked_at = table.now;
    for (asker, per) in firsts {
        table.pass_until(asked_at + per + per / 100 + Duration::from_millis(1));
        let one = &table.model.ones[&asker.holder()];
        assert!(one.granted.is_some(), "{one:?} waits for longer than {per:?}");
    }
    table.check_rows();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: (cases() / 5).saturating_mul(3), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_no_period_is_more_used_than_a_rate_allows_and_nobody_waits_for_longer_than_that_needs(case in case()) {
        let mut table = play(About::Honest, &case);
        table.drain();
        for (n, (limit, _)) in case.rates.iter().enumerate() {
            let key = table.model.keys.get(&rate(&n.to_string()));
            assert!(key.is_none_or(|key| key.never_exceeds(*limit)), "{key:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_has_nobody_wait_for_longer_than_a_period_after_it_has_asked_again(
        case in case(),
        by in prop_oneof![0u64..10_000, 0u64..100_000_000_000],
    ) {
        let mut table = play(About::Honest, &case);
        set_clock_back(&mut table, Duration::from_millis(by));
        table.drain();
    }

    #[test]
    fn those_that_use_more_than_they_said_have_others_wait_until_it_has_come_back(case in case()) {
        play(About::Greedy, &case).drain();
    }

    #[test]
    fn a_board_of_rates_on_which_versions_do_not_agree_does_what_the_newest_says(case in case()) {
        play(About::Versions, &case).drain();
    }
}
