//! Runs that ask people, and people who answer: more than once, without the right, too late, or something else than is asked.

use millrace_domain::submission::{IdempotencyKey, Submission};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::workload::{Wanted, WantedAct, Way, Workload};

/// A workflow whose steps ask: one person and two, anybody, for values, for each of some items, and as a hook.
const ASKING: &str = r#"
name: asking
timeout: 120s
steps:
  - {name: first, run: flaky, retry: {limit: 1, delay: 500ms}, continue_on_error: true}
  - {name: two, uses: approval, depends_on: [first], with: {who: [ann, bob, "${{ 'zed' }}"], of: 2, timeout: 9s}, continue_on_error: true}
  - {name: anybody, uses: approval, with: {message: "${{ run.id }}", timeout: 6s, default: approve}}
  - name: form
    uses: input
    with: {who: [ann], fields: [{name: n, type: int, max: 9}, {name: why, default: none}], timeout: 7s, default: {n: 7}}
  - {name: wanted, uses: input, with: {fields: [{name: n, type: int}], timeout: 7s}, continue_on_error: true}
  - name: each
    uses: approval
    foreach: {items: [1, 2, 3, 4], max_parallel: 2, tolerate: 2, fail_fast: true}
    with: {message: "${{ item }}", who: ["${{ 'ann' }}", bob], timeout: 5s}
  - {name: unclear, uses: approval, with: {who: "${{ run.id }}"}, continue_on_error: true}
  - {name: go, run: ok, depends_on: [two, anybody, form], env: {N: "${{ outputs.form.n }}"}}
  - {name: join, run: ok, depends_on: [each, wanted, go], trigger_rule: all_finished}
on_finish: [{name: told, uses: approval, with: {timeout: 3s, default: approve}}]
"#;

impl Workload {
    /// Has some seeds run workflows that ask people. With dice of its own, as for letters.
    pub(crate) fn asking(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(200) {
            self.definitions.push(ASKING);
            for key in 0..dice.range(1, 3) {
                let key = format!("asking-{key}");
                self.wanted.push(Wanted {
                    after_ms: dice.below(window_ms),
                    ways: vec![Way::Asked],
                    submission: Submission {
                        workflow: "asking".parse().ok(),
                        idempotency_key: IdempotencyKey::given(key.as_bytes()).ok().flatten(),
                        ..Submission::default()
                    },
                    cancelled_after_ms: dice.chance(200).then(|| dice.below(10_000)),
                    acts: (0..dice.range(2, 24)).map(|_| answer(dice)).collect(),
                    is_paused: false,
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }
}

/// Draws what somebody answers.
fn answer(dice: &mut Dice) -> WantedAct {
    let steps = [
        "two", "two", "two", "anybody", "form", "form", "wanted", "each", "each", "each", "unclear", "told",
        "go",
    ];
    let step = *dice.pick::<&str>(&steps);
    let mut body = json!({"by": dice.pick(&["ann", "ann", "bob", "zed", "eve", ""])});
    if step == "each" {
        body["item"] = json!(dice.below(4));
    }
    let asks_for_values = ["form", "wanted"].contains(&step);
    let deed = match dice.below(20) {
        0 => "skip",
        1 => {
            (body["outcome"], body["outputs"]) = (json!("succeeded"), json!({"n": 1}));
            "mark"
        }
        2 => {
            body["outcome"] = json!("failed");
            "mark"
        }
        3 => "retry",
        4 | 5 => "reject",
        6..10 => supply(dice, &mut body),
        _ if asks_for_values => supply(dice, &mut body),
        _ => "approve",
    };
    WantedAct { after_ms: dice.below(1_200), step, deed: (deed, body) }
}

fn supply(dice: &mut Dice, body: &mut Value) -> &'static str {
    let values = [
        json!({"n": 3}),
        json!({"n": 5, "why": "so"}),
        json!({"n": 5}),
        json!({}),
        json!({"n": 12}),
        json!({"m": 1}),
    ];
    body["values"] = dice.pick(&values).clone();
    "supply"
}
