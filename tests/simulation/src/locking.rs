//! Runs that want the same locks, among them such as are within each other.

use millrace_domain::submission::{IdempotencyKey, Submission};
use serde_json::json;

use crate::dice::Dice;
use crate::workload::{Wanted, Way, Workload};

/// Workflows whose steps want locks: alone, several of them, of several slots, shared, for items, and around runs of another
/// workflow, which want locks as well and among them one that they can never have.
const LOCKED: [&str; 2] = [
    r#"
name: within
steps:
  - {name: in, run: flaky, locks: [db/a], retry: {limit: 1, delay: 500ms}, continue_on_error: true}
  - {name: again, run: ok, locks: [{name: api, slots: 2}], depends_on: [in]}
  - {name: never, run: ok, locks: [around/one], continue_on_error: true}
"#,
    r#"
name: locked
timeout: 90s
steps:
  - {name: one, run: flaky, locks: [db/a], retry: {limit: 2, delay: 500ms}, continue_on_error: true}
  - {name: two, run: slow, timeout: 5s, locks: [{name: db/b, slots: 2}], continue_on_error: true}
  - {name: both, run: ok, locks: [{name: db/b, slots: 2, weight: 2}, db/a], depends_on: [one]}
  - name: each
    foreach: {items: [1, 2, 3, 4], max_parallel: 3, tolerate: 4}
    run: flaky
    locks: [{name: api, slots: 2}]
    retry: {limit: 1, delay: 500ms}
  - {name: quick, shards: {count: 3, fail_fast: true}, run: flaky, locks: [db/a], continue_on_error: true}
  - {name: reads, run: ok, locks: [{name: db/c, shared: true}]}
  - {name: reads_too, run: ok, locks: [{name: db/c, shared: true}, db/a]}
  - {name: writes, run: flaky, locks: [db/c], continue_on_error: true, retry: {then: ask, ask_timeout: 2s}}
  - {name: child, uses: workflow, with: {name: within}, locks: [{name: "around/${{ 'one' }}"}]}
  - {name: join, run: ok, depends_on: [both, each, reads, reads_too, writes, child], trigger_rule: all_finished}
"#,
];

impl Workload {
    /// Has some seeds run workflows that want the same locks. With dice of its own, as for letters.
    pub(crate) fn locking(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(200) {
            self.definitions.extend(LOCKED);
            for key in 0..dice.range(1, 5) {
                let key = format!("locked-{key}");
                self.wanted.push(Wanted {
                    after_ms: dice.below(window_ms),
                    ways: vec![Way::Asked],
                    submission: Submission {
                        workflow: "locked".parse().ok(),
                        idempotency_key: IdempotencyKey::given(key.as_bytes()).ok().flatten(),
                        priority: serde_json::from_value(json!(dice.range(0, 9))).ok(),
                        ..Submission::default()
                    },
                    cancelled_after_ms: dice.chance(300).then(|| dice.below(15_000)),
                    acts: Vec::new(),
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }
}
