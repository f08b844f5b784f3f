//! Which tasks share a message. Under a backlog, a broker hop for every task costs more than a short task does, so
//! tasks that were short so far travel together: at most [`BUNDLE_MICROS`] of expected work, [`BUNDLE`] tasks, and a
//! quarter of the smallest worker's slots. Each of them is claimed, finished and recovered on its own: only the hop
//! is shared. While a slot is free anywhere, every task travels alone. A step that never ran is taken to be like the
//! others of its executor.

use std::collections::HashMap;

use millrace_domain::task::Task;
use millrace_domain::{Lane, PoolName, TaskQueue};

use super::capacity::Capacity;
use super::durations::Durations;
use crate::partition::memory::owned::InFlight;

/// Tasks in one message, at most.
const BUNDLE: usize = 32;

/// Expected work in one message, at most, in microseconds: so long an idle worker may wait for a busy one.
const BUNDLE_MICROS: u64 = 20_000;

/// The size of the tasks of one message, at most, unless it is a single one: brokers take messages of 16 MiB.
const BUNDLE_BYTES: usize = 1024 * 1024;

/// A message in the making, of tasks of one lane.
struct Bundle {
    lane: Lane,
    tasks: Vec<Task>,
    micros: u64,
    /// About how many bytes the tasks take.
    bytes: usize,
    /// Tasks that it may hold.
    limit: usize,
}

impl Bundle {
    fn takes(&self, lane: &Lane, micros: u64, bytes: usize) -> bool {
        self.tasks.len() < self.limit
            && self.micros + micros <= BUNDLE_MICROS
            && self.bytes + bytes <= BUNDLE_BYTES
            && self.lane == *lane
    }
}

/// Packs tasks into messages; `in_flight` is what is under way without them.
pub(crate) fn pack(
    tasks: Vec<Task>,
    durations: &Durations,
    capacity: &Capacity,
    in_flight: &InFlight,
) -> Vec<Vec<Task>> {
    let mut free: HashMap<PoolName, (usize, usize)> = HashMap::new();
    let mut packed = Vec::with_capacity(tasks.len());
    let mut bundles: Vec<Bundle> = Vec::new();
    for task in tasks {
        if !free.contains_key(&task.pool) {
            let slots = capacity.of(task.pool.as_str()).map_or((usize::MAX, 1), |slots| {
                let is_there = |(queue, _): &(&TaskQueue, &usize)| queue.pool() == task.pool.as_str();
                let in_flight: usize = in_flight.iter().filter(is_there).map(|(_, count)| count).sum();
                (slots.all.saturating_sub(in_flight), (slots.fewest / 4).clamp(1, BUNDLE))
            });
            free.insert(task.pool.clone(), slots);
        }
        let Some((free, limit)) = free.get_mut(&task.pool) else { continue };
        let micros =
            if *free > 0 { None } else { durations.micros(&task).filter(|micros| *micros <= BUNDLE_MICROS) };
        *free = free.saturating_sub(1);
        match micros {
            None => packed.push(vec![task]),
            Some(micros) => {
                let (lane, bytes) = (task.lane(), task.input_bytes());
                match bundles.iter_mut().find(|bundle| bundle.takes(&lane, micros, bytes)) {
                    Some(bundle) => {
                        bundle.micros += micros;
                        bundle.bytes += bytes;
                        bundle.tasks.push(task);
                    }
                    None => {
                        // Full ones go, so that few are looked through.
                        for full in bundles.extract_if(.., |bundle| bundle.tasks.len() >= bundle.limit) {
                            packed.push(full.tasks);
                        }
                        bundles.push(Bundle { lane, tasks: vec![task], micros, bytes, limit: *limit });
                    }
                }
            }
        }
    }
    packed.extend(bundles.into_iter().map(|bundle| bundle.tasks));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::partition::dispatch::durations::{any_of, kind};
    use millrace_domain::{Epoch, Priority, RunId, Seq, SessionId, StepIndex, Timestamp, WorkflowId};
    use millrace_store::Session;
    use serde_json::Value;
    use uuid::Uuid;

    fn task(step: &str, priority: Priority) -> Task {
        Task {
            v: Task::VERSION,
            run: RunId::new(Uuid::new_v4(), millrace_domain::PartitionId(1)),
            workflow: WorkflowId::adhoc(),
            step: step.parse().unwrap(),
            index: StepIndex(0),
            item: None,
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
            rate: None,
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
    fn pace(step: &str, took: &[u64]) -> Durations {
        let mut pace = Durations::default();
        let kind = kind(&WorkflowId::adhoc(), step, "noop");
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
        let packed = pack(tasks(8, "task"), &pace("task", &[1]), &fleet(&[16]), &InFlight::new());
        assert_eq!(sizes(&packed), [1; 8]);
    }

    #[test]
    fn under_a_backlog_short_tasks_share_messages_of_a_quarter_of_the_smallest_worker() {
        let open = InFlight::from([(TaskQueue::default(), 14)]);
        let packed = pack(tasks(12, "task"), &pace("task", &[1]), &fleet(&[8, 16]), &open);
        assert_eq!(sizes(&packed), [[1; 10].as_slice(), &[2]].concat(), "ten slots were free");
        let open = InFlight::from([(TaskQueue::default(), 24)]);
        let packed = pack(tasks(12, "task"), &pace("task", &[1]), &fleet(&[8, 16]), &open);
        assert_eq!(sizes(&packed), [2; 6]);
    }

    #[test]
    fn a_message_holds_twenty_milliseconds_of_work_at_most() {
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
        for (took, expected) in [(5, vec![4, 4]), (10, vec![2; 4]), (15, vec![1; 8]), (60_000, vec![1; 8])] {
            let packed = pack(tasks(8, "task"), &pace("task", &[took]), &fleet(&[256]), &open);
            assert_eq!(sizes(&packed), expected, "tasks of {took} ms");
        }
    }

    #[test]
    fn a_message_holds_a_mebibyte_of_input_at_most() {
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
        let mut tasks = tasks(8, "task");
        tasks.iter_mut().for_each(|task| task.with = serde_json::json!({"body": "x".repeat(300_000)}));
        let packed = pack(tasks, &pace("task", &[1]), &fleet(&[256]), &open);
        assert_eq!(sizes(&packed), [2, 3, 3]);
    }

    #[test]
    fn a_step_that_never_ran_is_taken_to_be_like_the_others_of_its_executor() {
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
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
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
        let packed = pack(tasks(8, "other"), &pace("task", &[1]), &fleet(&[256]), &open);
        assert_eq!(sizes(&packed), [1; 8]);
        let packed = pack(tasks(8, "task"), &pace("task", &[1]), &fleet(&[]), &open);
        assert_eq!(sizes(&packed), [1; 8]);
    }

    #[test]
    fn one_slow_task_makes_its_kind_slow_until_many_were_fast() {
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
        let shared = |pace: &Durations| pack(tasks(8, "task"), pace, &fleet(&[256]), &open).len() == 1;
        assert!(shared(&pace("task", &[1, 1])));
        assert!(!shared(&pace("task", &[1, 1, 10_000, 1, 1])));
        assert!(shared(&pace("task", &[[10_000].as_slice(), &[1; 200]].concat())));
    }

    #[test]
    fn priorities_do_not_mix() {
        let open = InFlight::from([(TaskQueue::default(), 1_000)]);
        let mixed = (0..8).map(|n| task("task", if n % 2 == 0 { Priority::P0 } else { Priority::P3 }));
        let packed = pack(mixed.collect(), &pace("task", &[1]), &fleet(&[256]), &open);
        assert_eq!(sizes(&packed), [4, 4]);
        assert!(packed.iter().all(|tasks| tasks.iter().all(|task| task.priority == tasks[0].priority)));
    }
}
