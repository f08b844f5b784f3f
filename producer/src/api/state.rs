//! What the handlers of the API share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::context::Context;
use crate::intake::gateway::Gateway;

/// A request body has so many bytes, at most.
pub(super) const BODY_BYTES: usize = 16 * 1024 * 1024;

/// The state that all handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    /// The shared parts of the producer.
    pub(crate) context: Arc<Context>,
    /// The way to the owner of a partition.
    pub(crate) gateway: Arc<Gateway>,
    /// The pools that metrics were told of.
    pub(crate) counted: Counted,
}

/// The pools that workers were counted of, or that attempts waited for. A gauge keeps what it was set to: without its last
/// worker, a pool has to be counted all the same.
#[derive(Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeSet<String>>>);

impl Counted {
    /// These, and those that there were the last time: what has gone is counted once more, and then forgotten.
    pub(super) fn with(&self, now: impl Iterator<Item = String>) -> BTreeSet<String> {
        match self.0.lock() {
            Ok(mut pools) => {
                let before = std::mem::replace(&mut *pools, now.collect());
                pools.union(&before).cloned().collect()
            }
            Err(_) => now.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_whose_last_worker_has_gone_is_still_counted() {
        let counted = Counted::default();
        let gpu = || std::iter::once("gpu".to_owned());
        assert!(counted.with(std::iter::empty()).is_empty());
        assert_eq!(counted.with(gpu()), gpu().collect());
        assert_eq!(counted.with(std::iter::empty()), gpu().collect());
        assert!(counted.with(std::iter::empty()).is_empty(), "clients choose the names of pools");
    }
}
