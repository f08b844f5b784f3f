//! Runs whose steps take from the same rates: for items and keys, at different costs, beside locks, and around runs of other
//! workflows.

use millrace_domain::submission::{IdempotencyKey, Submission};
use serde_json::json;

use crate::dice::Dice;
use crate::workload::{Wanted, Way, Workload};

/// Workflows whose steps take from rates. The script of a task says what it uses of its reserve: `thrifty` half of it, `busy`
/// all of it, and that everybody is to wait.
const RATED: [&str; 2] = [
    r#"
name: paid
steps: [{name: call, run: flaky, rate: {limit: 3, per: 4s, name: api, key: b}, retry: {limit: 1, delay: 500ms}}]
"#,
    r#"
name: rated
params: [{name: key, default: a}]
steps:
  - name: each
    foreach: {items: [1, 2, 3, 4], tolerate: 4}
    run: flaky
    rate: {limit: 3, per: 4s, name: api, key: "${{ params.key }}"}
    retry: {limit: 1, delay: 500ms}
  - {name: long, run: slow, timeout: 5s, rate: {limit: 3, per: 4s, name: api, key: "${{ params.key }}", cost: 2}, continue_on_error: true}
  - {name: both, run: ok, locks: [paid_for], rate: {limit: 2, per: 5s, name: other}, depends_on: [long]}
  - {name: thrifty, run: thrifty, rate: {limit: 10, per: 6s, name: tokens, cost: 6}}
  - {name: busy, run: busy, rate: {limit: 10, per: 6s, name: tokens, cost: 3}}
  - {name: own, shards: 3, run: ok, rate: {limit: 1, per: 2s}}
  - {name: never, run: ok, rate: {limit: 1, per: 2s, cost: "${{ '2' }}"}, continue_on_error: true}
  - {name: child, uses: workflow, with: {name: paid}, rate: {limit: 2, per: 5s, name: other}, continue_on_error: true}
  - {name: join, run: ok, depends_on: [each, both, thrifty, busy, own, child], trigger_rule: all_finished}
"#,
];

impl Workload {
    /// Has some seeds run workflows that take from the same rates. With dice of its own, as for letters.
    pub(crate) fn rating(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(150) {
            self.definitions.extend(RATED);
            for key in 0..dice.range(1, 4) {
                let (key, of) = (format!("rated-{key}"), *dice.pick(&["a", "b"]));
                self.wanted.push(Wanted {
                    after_ms: dice.below(window_ms),
                    ways: vec![Way::Asked],
                    submission: Submission {
                        workflow: "rated".parse().ok(),
                        params: [("key".to_owned(), json!(of))].into_iter().collect(),
                        idempotency_key: IdempotencyKey::given(key.as_bytes()).ok().flatten(),
                        priority: serde_json::from_value(json!(dice.range(0, 9))).ok(),
                        ..Submission::default()
                    },
                    cancelled_after_ms: dice.chance(300).then(|| dice.below(15_000)),
                    acts: Vec::new(),
                    is_paused: dice.chance(300),
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }
}
