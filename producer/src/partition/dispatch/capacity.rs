//! The slots of the fleet, as the workers' sessions tell them.

use std::collections::HashMap;
use std::sync::Mutex;

use millrace_domain::TaskQueue;
use millrace_store::Session;

/// The slots of each pool, as its workers' sessions tell.
#[derive(Debug, Default)]
pub(crate) struct Capacity(Mutex<HashMap<String, PoolSlots>>);

/// The slots of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolSlots {
    /// The slots of all workers together.
    pub(super) all: usize,
    /// The slots of the worker that has the fewest.
    pub(super) fewest: usize,
}

impl Capacity {
    /// Takes note of the sessions that there are now.
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

    /// The queues that workers serve: those of their pools.
    pub(crate) fn queues(&self) -> Vec<TaskQueue> {
        let known = self.0.lock().map(|known| known.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        known.iter().filter_map(|pool| pool.parse().ok()).collect()
    }

    /// The slots of a pool, once its workers are known.
    pub(super) fn of(&self, pool: &str) -> Option<PoolSlots> {
        self.0.lock().ok()?.get(pool).copied()
    }
}
