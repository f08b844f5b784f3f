//! What a seed asks of its fleet: definitions, and submissions by their keys.

use std::fmt::Write;
use std::sync::LazyLock;

use millrace_domain::submission::{IdempotencyKey, Submission};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::faults::Faults;
use crate::letters::{TELLS, WAITS};
use crate::wanted_retries::WantedRetries;

/// The definitions that are stored, each a document of its own.
pub(crate) const DEFINITIONS: [&str; 7] = [
    r#"
name: diamond
steps:
  - {name: a, run: ok}
  - {name: b, run: flaky, depends_on: [a], retry: {limit: 2, delay: 1s}}
  - {name: c, run: slow, depends_on: [a]}
  - {name: d, run: ok, depends_on: [b, c]}
"#,
    r#"
name: chain
timeout: 60s
steps:
  - {name: x, run: ok, at_most_once: true}
  - {name: y, run: hang, depends_on: [x], timeout: 2s, retry: {limit: 1, delay: 1s}}
  - {name: z, run: ok, depends_on: [y]}
"#,
    r#"
name: fan
timeout: 15s
steps:
  - {name: left, run: ok}
  - {name: middle, run: slow}
  - {name: right, run: hang}
  - {name: other, run: flaky, retry: {limit: 3, delay: 500ms}}
  - {name: join, run: ok, depends_on: [left, middle, right]}
"#,
    r#"
name: rules
timeout: 90s
steps:
  - {name: first, run: flaky, on_failure: [{name: mend, run: ok}], on_finish: [{name: after, run: flaky}]}
  - {name: poll, run: flaky, repeat: {until: "run.id == 'none'", max: 3, delay: 1s}, retry: {limit: 1}, continue_on_error: true}
  - {name: asks, run: flaky, depends_on: [poll], retry: {then: ask, ask_timeout: 2s}, continue_on_error: true}
  - {name: pause, uses: wait, with: {for: 3s}}
  - {name: repair, run: ok, depends_on: [{step: first, status: failed}]}
  - {name: never, run: ok, depends_on: [first], if: "run.id == 'none'"}
  - {name: any, run: slow, depends_on: [first, pause], trigger_rule: one_success}
  - {name: join, run: flaky, depends_on: [repair, never], trigger_rule: none_failed, continue_on_error: true}
  - {name: big, run: large}
  - {name: clean, run: ok, depends_on: [join, any, pause, big], trigger_rule: all_finished, env: {BIG: "${{ outputs.big.text | length }}"}}
outputs: {big: "${{ outputs.big.text | length }}", run: "${{ run.id }}"}
on_success: [{name: good, run: flaky}]
on_failure: [{name: tell, run: flaky, retry: {limit: 1, delay: 1s}}, {name: log, run: ok, depends_on: [tell]}]
on_finish: [{name: done, run: slow, timeout: 3s}]
"#,
    r#"
name: items
timeout: 90s
steps:
  - {name: list, run: large}
  - name: each
    depends_on: [list]
    foreach: {items: [1, 2, 3, 4, 5, 6], max_parallel: 2, tolerate: 2}
    run: flaky
    env: {LIST: "${{ outputs.list.text | length }}"}
    retry: {limit: 1, delay: 1s}
  - {name: quick, depends_on: [list], shards: {count: 4, fail_fast: true}, run: flaky}
  - {name: held, depends_on: [each], foreach: {items: "${{ outputs.each }}", max_parallel: 3}, run: slow}
  - name: join
    depends_on: [each, quick, held]
    trigger_rule: all_finished
    run: ok
    env: {EACH: "${{ outputs.each | length }}", LIST: "${{ outputs.list.text | length }}"}
outputs:
  each: "${{ outputs.each | length }}"
  # Where no item has failed, this cannot be made.
  held: "${{ 12 // (outputs.each | select | length - 6) }}"
"#,
    r#"
name: ticks
schedule: {every: 15s}
steps:
  - {name: tick, run: ok}
  - {name: tock, run: flaky, depends_on: [tick]}
"#,
    r#"
name: minutes
schedule: ["* * * * *", {every: 40s}]
steps:
  - {name: only, run: ok}
"#,
];

/// The last of these with its schedules in another order.
const REORDERED: &str = r#"
name: minutes
schedule: [{every: 40s}, "* * * * *"]
steps:
  - {name: only, run: ok}
"#;

/// A workflow with more steps beside each other than one advance begins.
static WIDE: LazyLock<String> = LazyLock::new(|| {
    let mut text =
        "name: wide\ntimeout: 60s\nsteps:\n  - {name: first, run: flaky, retry: {limit: 1}}\n".to_owned();
    let names: Vec<String> = (0..WIDTH).map(|n| format!("w{n}")).collect();
    for name in &names {
        let _ = writeln!(text, "  - {{name: {name}, depends_on: [first], uses: wait, with: {{for: 1s}}}}");
    }
    let _ = writeln!(text, "  - {{name: join, run: ok, depends_on: [{}]}}", names.join(", "));
    text
});

/// The number of steps of [`WIDE`] that are beside each other.
const WIDTH: u32 = 2_700;

/// Workflows that run others, and those.
const NESTED: [&str; 3] = [
    r#"
name: part
params: [{name: n, type: int, default: 1}]
steps:
  - {name: one, run: flaky, retry: {limit: 1, delay: 500ms}}
  - {name: two, run: slow, depends_on: [one]}
outputs: {n: "${{ params.n }}", run: "${{ run.id }}"}
"#,
    r#"
name: deeper
recursive: {max: 2}
params: [{name: n, type: int, default: 2}]
steps:
  - {name: down, uses: workflow, with: {name: deeper, params: {n: "${{ params.n - 1 }}"}}, if: params.n > 0}
  - {name: here, run: ok, depends_on: [down], trigger_rule: none_failed}
outputs: {n: "${{ params.n }}"}
"#,
    r#"
name: parts
timeout: 120s
steps:
  - {name: list, run: large}
  - name: load
    uses: workflow
    depends_on: [list]
    with: {name: part, params: {n: "${{ outputs.list.text | length }}"}}
    retry: {limit: 1, delay: 1s}
    outputs: {n: int}
  - name: each
    uses: workflow
    foreach: {items: [1, 2, 3, 4, 5], max_parallel: 2, tolerate: 3}
    with: {name: part, params: {n: "${{ item }}"}}
  - {name: quick, uses: workflow, shards: {count: 3, fail_fast: true}, with: {name: part}, continue_on_error: true}
  - {name: away, uses: workflow, with: {name: part, wait: false}, outputs: {run_id: string}}
  - {name: deep, uses: workflow, with: {name: deeper}}
  - {name: too_deep, uses: workflow, with: {name: deeper, params: {n: 3}}, continue_on_error: true}
  - {name: gone, uses: workflow, with: {name: nowhere}, continue_on_error: true, retry: {limit: 1, delay: 1s}}
  - {name: join, run: ok, depends_on: [load, each, quick, away, deep], env: {N: "${{ outputs.load.n }}"}}
outputs: {n: "${{ outputs.load.n }}", away: "${{ outputs.away.run_id }}"}
on_failure: [{name: mend, uses: workflow, with: {name: part, params: {n: 7}}}]
"#,
];

/// The number of the first of these that are started by hand.
const BY_HAND: u64 = 5;

/// The names of these.
const BY_HAND_NAMES: [&str; BY_HAND as usize] = ["diamond", "chain", "fan", "rules", "items"];

/// The way in which something is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a message, with an answer.
    Asked,
    /// As a message, on the strength of the broker's confirm.
    Told,
    /// Over the API.
    Api,
}

/// A submission that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The time after the definitions are stored.
    pub(crate) after_ms: u64,
    pub(crate) ways: Vec<Way>,
    pub(crate) submission: Submission,
    /// The time after it was accepted at which it is cancelled.
    pub(crate) cancelled_after_ms: Option<u64>,
    /// What somebody does to it and its steps meanwhile.
    pub(crate) acts: Vec<WantedAct>,
    /// Whether it may be paused by that, and somebody has to see to it that it goes on.
    pub(crate) is_paused: bool,
}

/// An act that is wanted: it may well be refused, as the step stands then.
#[derive(Debug, Clone)]
pub(crate) struct WantedAct {
    /// The time after the act before it.
    pub(crate) after_ms: u64,
    /// The step; nothing for the run as a whole.
    pub(crate) step: &'static str,
    /// The end of its path, and what is said besides.
    pub(crate) deed: (&'static str, Value),
}

/// The workload of a seed: what is wanted of the fleet.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) definitions: Vec<&'static str>,
    /// Definitions that are stored later on, in place of what there is, and how much later.
    pub(crate) later: Vec<(u64, &'static str)>,
    pub(crate) wanted: Vec<Wanted>,
    /// The retries that are wanted of runs, once they have failed.
    pub(crate) retries: Vec<WantedRetries>,
    /// When the pool of all tasks is paused (`true`) or resumed, each after so many milliseconds.
    pub(crate) pool_acts: Vec<(u64, bool)>,
}

impl Workload {
    /// Draws the workload of a seed: most are small, so that there can be many.
    pub(crate) fn drawn(dice: &mut Dice, window_ms: u64) -> Self {
        let count = if dice.chance(100) { dice.range(8, 24) } else { dice.range(1, 7) };
        let mut definitions = DEFINITIONS[..BY_HAND as usize].to_vec();
        if dice.chance(250) {
            definitions.extend(dice.pick(&[&DEFINITIONS[5..6], &DEFINITIONS[6..], &DEFINITIONS[5..]]).iter());
        }
        let mut wanted: Vec<Wanted> = (0..count).map(|key| Wanted::drawn(dice, key, window_ms)).collect();
        let named = |name: &str| {
            wanted.iter().any(|one| one.submission.workflow.as_ref().is_some_and(|w| w.as_str() == name))
        };
        definitions.retain(|text| {
            let scheduled = text.contains("schedule:");
            scheduled
                || BY_HAND_NAMES.iter().any(|name| text.contains(&format!("name: {name}\n")) && named(name))
        });
        wanted.sort_by_key(|one| one.after_ms);
        Self { definitions, later: Vec::new(), wanted, retries: Vec::new(), pool_acts: Vec::new() }
    }

    /// Has the schedules of some seeds put in another order, and some back again. With dice of its own, as for letters.
    pub(crate) fn reordering(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        let [.., minutes] = DEFINITIONS;
        if self.definitions.contains(&minutes) && dice.chance(700) {
            let first = dice.below(window_ms);
            self.later.push((first, REORDERED));
            if dice.chance(500) {
                self.later.push((first + dice.below(window_ms), minutes));
            }
        }
        self
    }

    /// Has a few seeds run a graph that begins by and by. With dice of its own, as for letters.
    pub(crate) fn widening(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(8) {
            self.definitions.push(&WIDE);
            self.wanted.push(Wanted {
                after_ms: dice.below(window_ms),
                ways: vec![Way::Told],
                submission: Submission {
                    workflow: "wide".parse().ok(),
                    idempotency_key: IdempotencyKey::given(b"wide").ok().flatten(),
                    ..Submission::default()
                },
                cancelled_after_ms: dice.chance(300).then(|| dice.below(6_000)),
                acts: Vec::new(),
                is_paused: false,
            });
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }

    /// Has some seeds run workflows within others. With dice of its own, as for letters.
    pub(crate) fn nesting(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(150) {
            self.definitions.extend(NESTED);
            for key in 0..dice.range(1, 2) {
                let key = format!("parts-{key}");
                self.wanted.push(Wanted {
                    after_ms: dice.below(window_ms),
                    ways: vec![Way::Asked],
                    submission: Submission {
                        workflow: "parts".parse().ok(),
                        idempotency_key: IdempotencyKey::given(key.as_bytes()).ok().flatten(),
                        ..Submission::default()
                    },
                    cancelled_after_ms: dice.chance(400).then(|| dice.below(15_000)),
                    acts: Vec::new(),
                    is_paused: false,
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }

    /// Has some runs of some seeds tell others. With dice of its own, so that all else of a seed stays as it is.
    pub(crate) fn telling(mut self, dice: &mut Dice, faults: &mut Faults, window_ms: u64) -> Self {
        if dice.chance(300) {
            // What gets lost of them gets lost while they are on their way.
            faults.letters_refused = *dice.pick(&[0, 300, 950]);
            for one in &mut self.wanted {
                let generations = dice.range(1, 2).to_string();
                if dice.chance(600) {
                    one.submission.labels.insert(TELLS.to_owned(), generations);
                }
            }
            if dice.chance(500) {
                self.wanted.push(Wanted::waiting(dice, window_ms));
                self.wanted.sort_by_key(|one| one.after_ms);
            }
        }
        self
    }
}

impl Wanted {
    /// Draws a run that nothing ends but what it has started.
    fn waiting(dice: &mut Dice, window_ms: u64) -> Self {
        let labels = [(TELLS, "1"), (WAITS, "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let submission = Submission {
            run: Some("hang".to_owned()),
            labels: labels.into(),
            idempotency_key: IdempotencyKey::given(b"waiting").ok().flatten(),
            ..Submission::default()
        };
        Self {
            after_ms: dice.below(window_ms),
            ways: vec![Way::Told],
            submission,
            cancelled_after_ms: None,
            acts: Vec::new(),
            is_paused: false,
        }
    }

    fn drawn(dice: &mut Dice, key: u64, window_ms: u64) -> Self {
        let mut submission = if dice.chance(500) {
            let name = dice.pick(&BY_HAND_NAMES).parse().ok();
            Submission { workflow: name, ..Submission::default() }
        } else {
            let script = *dice.pick(&["ok", "ok", "flaky", "fail", "slow", "hang"]);
            let timeout = (script == "hang" || dice.chance(300)).then(|| "3s".to_owned());
            let retry = dice.chance(400).then(|| json!({"limit": 2, "delay": "1s"}));
            let at_most_once = dice.chance(200);
            Submission { run: Some(script.to_owned()), timeout, retry, at_most_once, ..Submission::default() }
        };
        submission.idempotency_key = IdempotencyKey::given(format!("key-{key}").as_bytes()).ok().flatten();
        if dice.chance(200) {
            submission.delay = Some(format!("{}ms", dice.range(1, 10_000)));
        }
        if dice.chance(300) {
            submission.priority = serde_json::from_value(json!(dice.range(0, 9))).ok();
        }
        let way = |dice: &mut Dice| *dice.pick(&[Way::Asked, Way::Told, Way::Api]);
        let mut ways = vec![way(dice)];
        if dice.chance(300) {
            ways.push(way(dice));
        }
        let cancelled_after_ms = dice.chance(200).then(|| dice.below(12_000));
        Self {
            after_ms: dice.below(window_ms),
            ways,
            submission,
            cancelled_after_ms,
            acts: Vec::new(),
            is_paused: false,
        }
    }
}
