//! Which pools are served, which are not, and what was probably meant. Worked out when somebody looks: nothing of it
//! is on the way of a task.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use millrace_domain::definition::nearest;
use millrace_domain::{PartitionId, TaskId, Timestamp};
use millrace_store::{PausedPool, Session, StoreError, TaskRecord};

use super::sessions::live;
use crate::context::Context;
use crate::partition::recovery::watched::FAR;

/// Dispatched attempts of a partition that are looked at, at most, to see what they wait for.
const SAMPLE: usize = 32;

/// The pools that workers serve now, and those that somebody has paused.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pools: BTreeSet<String>,
    paused: Vec<PausedPool>,
}

impl Served {
    /// The pools of these workers, as far as they were heard of lately, of which these are paused.
    pub(crate) fn by(sessions: Vec<Session>, paused: Vec<PausedPool>) -> Self {
        let pools = live(sessions).into_iter().flat_map(|session| session.pools).collect();
        Self { pools, paused }
    }

    /// The pause of a pool.
    pub(crate) fn paused(&self, pool: &str) -> Option<&PausedPool> {
        self.paused.iter().find(|paused| paused.pool.as_str() == pool)
    }

    /// Why nothing of a pool is taken; `None` when workers serve it.
    pub(crate) fn why_not(&self, pool: &str) -> Option<String> {
        if let Some(paused) = self.paused(pool) {
            return Some(format!("{paused} (millrace queues resume {pool})"));
        }
        if self.pools.contains(pool) {
            return None;
        }
        let known = || self.pools.iter().map(String::as_str);
        let why = match nearest(pool, known()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if self.pools.is_empty() => ": no worker is up".to_owned(),
            None => format!("; served are {}", known().collect::<Vec<_>>().join(", ")),
        };
        Some(format!("no worker serves pool `{pool}`{why}"))
    }
}

/// Pools that attempts wait for, as far as a bounded look into each partition tells: what is not seen there stands
/// behind attempts of other pools.
pub(crate) async fn waited_for(context: &Context) -> Result<BTreeSet<String>, StoreError> {
    let partitions = 0..context.partitions;
    let asked = partitions.map(|partition| {
        context.store.watched(PartitionId(partition), Timestamp::default()..=FAR, 0, SAMPLE)
    });
    let mut dispatched: Vec<TaskId> = Vec::new();
    for answer in join_all(asked).await {
        match answer {
            // Its owner says so in its log.
            Err(StoreError::Corrupt(_)) => {}
            answer => dispatched.extend(answer?.into_iter().map(|(_, task)| task)),
        }
    }
    if dispatched.is_empty() {
        return Ok(BTreeSet::new());
    }
    let records = context.store.tasks(&dispatched).await?;
    let pool = |record| match record {
        Some(TaskRecord::Queued { lane, .. }) => Some(lane.queue.pool().to_owned()),
        _ => None,
    };
    Ok(records.into_iter().filter_map(pool).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_nobody_serves_is_named_with_the_one_that_was_meant() {
        let served = |pools: &[&str]| Served {
            pools: pools.iter().map(|pool| (*pool).to_owned()).collect(),
            paused: Vec::new(),
        };
        assert_eq!(served(&["default"]).why_not("default"), None);
        let why = |pools: &[&str], pool: &str| served(pools).why_not(pool).unwrap();
        assert_eq!(
            why(&["default", "gpu"], "defualt"),
            "no worker serves pool `defualt`; did you mean `default`?"
        );
        assert_eq!(why(&["default", "gpu"], "etl"), "no worker serves pool `etl`; served are default, gpu");
        assert_eq!(why(&[], "default"), "no worker serves pool `default`: no worker is up");
    }
}
