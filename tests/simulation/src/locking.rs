//! Runs that want the same locks, and runs of workflows that allow only so many at a time, among them such as are within each
//! other.

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

/// Workflows that allow only so many runs at a time, with each of the policies, and one that runs them within runs of its own.
/// The first can wait for itself.
const LIMITED: [&str; 7] = [
    r#"
name: turns
params: [{name: key, default: a}]
concurrency: {limit: 2, key: "${{ params.key }}"}
steps: [{name: one, run: flaky, retry: {limit: 1, delay: 500ms}}, {name: two, run: slow, depends_on: [one]}]
on_finish: [{name: done, run: flaky}]
"#,
    "name: latest\nconcurrency: {policy: replace}\nsteps: [{name: one, run: slow}, {name: two, run: ok, depends_on: [one]}]\non_finish: [{name: done, run: slow}]\n",
    "name: newest\nconcurrency: {limit: 2, policy: replace}\nsteps: [{name: one, run: hang, timeout: 8s}]\n",
    "name: single\nschedule: {every: 10s}\nconcurrency: {policy: skip}\nsteps: [{name: one, run: slow}]\n",
    "name: capped\nconcurrency: {max_queued: 1, on_full: drop_oldest}\nsteps: [{name: one, run: slow}]\n",
    "name: merged\nconcurrency: {max_queued: 1, on_full: merge}\nsteps: [{name: one, run: slow}]\n",
    r#"
name: around
recursive: {max: 2}
timeout: 120s
params: [{name: n, type: int, default: 1}]
concurrency: {limit: 2, max_queued: 3}
steps:
  - {name: itself, uses: workflow, with: {name: around, params: {n: "${{ params.n - 1 }}"}}, if: params.n > 0, continue_on_error: true}
  - name: each
    uses: workflow
    foreach: {items: [a, b, a, b, a], tolerate: 5}
    with: {name: turns, params: {key: "${{ item }}"}}
  - {name: last, uses: workflow, with: {name: latest}, continue_on_error: true}
  - {name: away, uses: workflow, with: {name: capped, wait: false}}
  - {name: join, run: ok, depends_on: [each, last], trigger_rule: all_finished}
"#,
];

/// Those of them that are started by hand.
const LIMITED_NAMES: [&str; 6] = ["turns", "latest", "newest", "capped", "merged", "around"];

impl Workload {
    /// Has some seeds run workflows that allow only so many runs at a time. With dice of its own, as for letters.
    pub(crate) fn limiting(mut self, dice: &mut Dice, window_ms: u64) -> Self {
        if dice.chance(150) {
            self.definitions.extend(LIMITED);
            for key in 0..dice.range(2, 10) {
                let (name, key) = (*dice.pick(&LIMITED_NAMES), format!("limited-{key}"));
                self.wanted.push(Wanted {
                    after_ms: dice.below(window_ms),
                    ways: vec![Way::Asked],
                    submission: Submission {
                        workflow: name.parse().ok(),
                        idempotency_key: IdempotencyKey::given(key.as_bytes()).ok().flatten(),
                        priority: serde_json::from_value(json!(dice.range(0, 9))).ok(),
                        ..Submission::default()
                    },
                    cancelled_after_ms: dice.chance(200).then(|| dice.below(15_000)),
                    acts: Vec::new(),
                    is_paused: false,
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }

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
                    is_paused: false,
                });
            }
            self.wanted.sort_by_key(|one| one.after_ms);
        }
        self
    }
}
