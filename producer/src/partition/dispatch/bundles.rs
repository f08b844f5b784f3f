//! Which tasks share a message. Under a backlog, a broker hop for every task costs more than a short task does, so
//! tasks that were short so far travel together: at most [`BUNDLE_MICROS`] of expected work, [`BUNDLE`] tasks, and a
//! quarter of the smallest worker's slots. Each of them is claimed, finished and recovered on its own: only the hop
//! is shared. While a slot is free anywhere, every task travels alone. A step that never ran is taken to be like the
//! others of its executor.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use millrace_domain::run::Run;
use millrace_domain::task::Task;
use millrace_domain::{PoolName, StepIndex, WorkflowName};
use millrace_store::Session;

/// Tasks in one message, at most.
const BUNDLE: usize = 32;

/// Expected work in one message, at most, in microseconds: so long an idle worker may wait for a busy one.
const BUNDLE_MICROS: u64 = 20_000;

/// A task is taken to last at least so long: stamps are whole milliseconds.
const LEAST_MICROS: u64 = 500;

/// Kinds of tasks whose pace is remembered, at most.
const KINDS: usize = 10_000;

/// How fast a kind of task that once took long is trusted again: a share of `1 / 2^DECAY` with each result.
const DECAY: u32 = 4;

/// The slots of each pool, as its workers' sessions tell.
#[derive(Debug, Default)]
pub(crate) struct Capacity(Mutex<HashMap<String, PoolSlots>>);

/// The slots of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PoolSlots {
    all: usize,
    /// Of the worker that has the fewest.
    fewest: usize,
}

impl Capacity {
    /// These are the sessions now.
    pub(crate) fn observe(&self, sessions: &[Session]) {
        let mut pools: HashMap<String, PoolSlots> = HashMap::new();
        for session in sessions.iter().filter(|session| !session.draining) {
            let share = (session.slots as usize / session.pools.len().max(1)).max(1);
            for pool in &session.pools {
                let slots = pools.entry(pool.clone()).or_insert(PoolSlots { all: 0, fewest: share });
                slots.all += share;
                slots.fewest = slots.fewest.min(share);
            }
        }
        if let Ok(mut known) = self.0.lock() {
            *known = pools;
        }
    }

    /// The pools that workers serve.
    pub(crate) fn pools(&self) -> Vec<String> {
        self.0.lock().map(|known| known.keys().cloned().collect()).unwrap_or_default()
    }

    fn of(&self, pool: &PoolName) -> Option<PoolSlots> {
        self.0.lock().ok()?.get(pool.as_str()).copied()
    }
}

/// Dispatched and not ended yet, by pool.
pub(crate) type Open = HashMap<PoolName, usize>;

/// What was learnt of tasks: how long each kind takes, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Pace(HashMap<u64, u64>);

impl Pace {
    /// A step's task took so long.
    pub(crate) fn note(&mut self, run: &Run, step: StepIndex, took: Duration) {
        let Some(definition) = run.workflow.step(step) else { return };
        self.learn(kind(&run.head.workflow, definition.name.as_str(), &definition.uses), took);
        self.learn(any_of(&definition.uses), took);
    }

    fn learn(&mut self, kind: u64, took: Duration) {
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            self.0.clear();
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(LEAST_MICROS);
        let known = self.0.entry(kind).or_insert(took);
        // What may take long counts as long: a slow one at once, a fast one step by step.
        *known = took.max(*known - ((*known - took.min(*known)) >> DECAY));
    }

    fn micros(&self, task: &Task) -> Option<u64> {
        let known = self.0.get(&kind(&task.workflow, task.step.as_str(), &task.uses));
        known.or_else(|| self.0.get(&any_of(&task.uses))).copied()
    }
}

fn kind(workflow: &WorkflowName, step: &str, uses: &str) -> u64 {
    hash((workflow.as_str(), step, uses))
}

/// All tasks of an executor.
fn any_of(uses: &str) -> u64 {
    hash(uses)
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A message in the making.
struct Bundle {
    tasks: Vec<Task>,
    micros: u64,
    /// Tasks that it may hold.
    limit: usize,
}

impl Bundle {
    fn takes(&self, task: &Task, micros: u64) -> bool {
        let first = &self.tasks[0];
        self.tasks.len() < self.limit
            && self.micros + micros <= BUNDLE_MICROS
            && first.priority == task.priority
            && first.pool == task.pool
    }
}

/// Packs tasks into messages; `open` is what is under way without them.
pub(crate) fn pack(tasks: Vec<Task>, pace: &Pace, capacity: &Capacity, open: &Open) -> Vec<Vec<Task>> {
    let mut free: HashMap<PoolName, (usize, usize)> = HashMap::new();
    let mut packed = Vec::with_capacity(tasks.len());
    let mut bundles: Vec<Bundle> = Vec::new();
    for task in tasks {
        if !free.contains_key(&task.pool) {
            let slots = capacity.of(&task.pool).map_or((usize::MAX, 1), |slots| {
                let open = open.get(&task.pool).copied().unwrap_or(0);
                (slots.all.saturating_sub(open), (slots.fewest / 4).clamp(1, BUNDLE))
            });
            free.insert(task.pool.clone(), slots);
        }
        let Some((free, limit)) = free.get_mut(&task.pool) else { continue };
        let micros =
            if *free > 0 { None } else { pace.micros(&task).filter(|micros| *micros <= BUNDLE_MICROS) };
        *free = free.saturating_sub(1);
        match micros {
            None => packed.push(vec![task]),
            Some(micros) => match bundles.iter_mut().find(|bundle| bundle.takes(&task, micros)) {
                Some(bundle) => {
                    bundle.micros += micros;
                    bundle.tasks.push(task);
                }
                None => {
                    // Full ones go, so that few are looked through.
                    for full in bundles.extract_if(.., |bundle| bundle.tasks.len() >= bundle.limit) {
                        packed.push(full.tasks);
                    }
                    bundles.push(Bundle { tasks: vec![task], micros, limit: *limit });
                }
            },
        }
    }
    packed.extend(bundles.into_iter().map(|bundle| bundle.tasks));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_domain::{Epoch, Priority, RunId, Seq, SessionId, Timestamp};
    use serde_json::Value;
    use uuid::Uuid;

    fn task(step: &str, priority: Priority) -> Task {
        Task {
            v: Task::VERSION,
            run: RunId::new(Uuid::new_v4(), millrace_domain::PartitionId(1)),
            workflow: WorkflowName::adhoc(),
            step: step.parse().unwrap(),
            index: StepIndex(0),
            attempt: 1,
            epoch: Epoch(1),
            seq: Seq(1),
            pool: PoolName::default(),
            priority,
            uses: "noop".into(),
            with: Value::Null,
            env: std::collections::BTreeMap::new(),
            working_dir: None,
            timeout_ms: None,
            scheduled_at: Timestamp::default(),
            dispatched_at: Timestamp::default(),
            at_most_once: false,
            traceparent: None,
        }
    }

    fn tasks(count: usize, step: &str) -> Vec<Task> {
        (0..count).map(|_| task(step, Priority::P2)).collect()
    }

    fn worker(slots: u32) -> Session {
        Session {
            id: SessionId(Uuid::new_v4()),
            count: 1,
            host: "one".into(),
            pid: 1,
            pools: vec!["default".into()],
            slots,
            running: 0,
            draining: false,
            started_at: 0,
            silent_ms: None,
            labels: vec![],
        }
    }

    fn fleet(slots: &[u32]) -> Capacity {
        let capacity = Capacity::default();
        capacity.observe(&slots.iter().map(|slots| worker(*slots)).collect::<Vec<_>>());
        capacity
    }

    /// Tasks of this step took so long, in milliseconds.
    fn pace(step: &str, took: &[u64]) -> Pace {
        let mut pace = Pace::default();
        let kind = kind(&WorkflowName::adhoc(), step, "noop");
        took.iter().for_each(|millis| pace.learn(kind, Duration::from_millis(*millis)));
        pace
    }

    fn sizes(packed: &[Vec<Task>]) -> Vec<usize> {
        let mut sizes: Vec<usize> = packed.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }

    #[test]
    fn while_slots_are_free_every_task_travels_alone() {
        let packed = pack(tasks(8, "task"), &pace("task", &[1]), &fleet(&[16]), &Open::new());
        assert_eq!(sizes(&packed), [1; 8]);
    }

    #[test]
    fn under_a_backlog_short_tasks_share_messages_of_a_quarter_of_the_smallest_worker() {
        let open = Open::from([(PoolName::default(), 14)]);
        let packed = pack(tasks(12, "task"), &pace("task", &[1]), &fleet(&[8, 16]), &open);
        assert_eq!(sizes(&packed), [[1; 10].as_slice(), &[2]].concat(), "ten slots were free");
        let open = Open::from([(PoolName::default(), 24)]);
        let packed = pack(tasks(12, "task"), &pace("task", &[1]), &fleet(&[8, 16]), &open);
        assert_eq!(sizes(&packed), [2; 6]);
    }

    #[test]
    fn a_message_holds_twenty_milliseconds_of_work_at_most() {
        let open = Open::from([(PoolName::default(), 1_000)]);
        for (took, expected) in [(5, vec![4, 4]), (10, vec![2; 4]), (15, vec![1; 8]), (60_000, vec![1; 8])] {
            let packed = pack(tasks(8, "task"), &pace("task", &[took]), &fleet(&[256]), &open);
            assert_eq!(sizes(&packed), expected, "tasks of {took} ms");
        }
    }

    #[test]
    fn a_step_that_never_ran_is_taken_to_be_like_the_others_of_its_executor() {
        let open = Open::from([(PoolName::default(), 1_000)]);
        let mut pace = pace("slow", &[5_000]);
        pace.learn(any_of("noop"), Duration::from_millis(1));
        assert_eq!(pack(tasks(8, "new"), &pace, &fleet(&[256]), &open).len(), 1);
        assert_eq!(
            pack(tasks(8, "slow"), &pace, &fleet(&[256]), &open).len(),
            8,
            "what is known of it counts"
        );
        pace.learn(any_of("noop"), Duration::from_millis(30));
        assert_eq!(pack(tasks(8, "new"), &pace, &fleet(&[256]), &open).len(), 8);
    }

    #[test]
    fn tasks_of_unknown_pace_or_an_unknown_fleet_travel_alone() {
        let open = Open::from([(PoolName::default(), 1_000)]);
        let packed = pack(tasks(8, "other"), &pace("task", &[1]), &fleet(&[256]), &open);
        assert_eq!(sizes(&packed), [1; 8]);
        let packed = pack(tasks(8, "task"), &pace("task", &[1]), &fleet(&[]), &open);
        assert_eq!(sizes(&packed), [1; 8]);
    }

    #[test]
    fn one_slow_task_makes_its_kind_slow_until_many_were_fast() {
        let open = Open::from([(PoolName::default(), 1_000)]);
        let shared = |pace: &Pace| pack(tasks(8, "task"), pace, &fleet(&[256]), &open).len() == 1;
        assert!(shared(&pace("task", &[1, 1])));
        assert!(!shared(&pace("task", &[1, 1, 10_000, 1, 1])));
        assert!(shared(&pace("task", &[[10_000].as_slice(), &[1; 200]].concat())));
    }

    #[test]
    fn priorities_do_not_mix() {
        let open = Open::from([(PoolName::default(), 1_000)]);
        let mixed = (0..8).map(|n| task("task", if n % 2 == 0 { Priority::P0 } else { Priority::P3 }));
        let packed = pack(mixed.collect(), &pace("task", &[1]), &fleet(&[256]), &open);
        assert_eq!(sizes(&packed), [4, 4]);
        assert!(packed.iter().all(|tasks| tasks.iter().all(|task| task.priority == tasks[0].priority)));
    }
}
