//! The cluster in the store: what is fixed for it, its clock, how full it is, and the producers that are here.

use async_trait::async_trait;
use millrace_domain::{ProducerId, Timestamp};

use super::super::{Cluster, Fullness, StoreError};

/// The part of a store that belongs to the cluster as a whole.
#[async_trait]
pub trait ClusterStore: Send + Sync + 'static {
    /// Founds the cluster: writes what is fixed and not stored yet (the kind of its queues only when `wanted` names
    /// one), and answers what holds. A store that holds nothing of a cluster begins a life of its own, see
    /// [`Cluster::since`].
    async fn found(&self, wanted: &Cluster) -> Result<Cluster, StoreError>;

    /// Reads what is fixed for the cluster, and the store's time. `None` when nothing is: it was never founded, or
    /// the store has lost what it held. Cheap enough to be asked every second.
    async fn cluster(&self) -> Result<(Option<Cluster>, Timestamp), StoreError>;

    /// Reads the store's clock, which decides what is due.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Reads how full the store is; cheap enough to be asked every second.
    async fn fullness(&self) -> Result<Fullness, StoreError> {
        Ok(Fullness::default())
    }

    /// Announces that a producer is here, for `ttl_ms`: answers all producers that are here now, this one among them,
    /// in order. Nobody is here for longer than that, unless heard of again: who said so when the clock was ahead
    /// lapses all the same.
    async fn meet(&self, producer: ProducerId, ttl_ms: u64) -> Result<Vec<ProducerId>, StoreError>;

    /// Announces that a producer goes.
    async fn leave(&self, producer: ProducerId) -> Result<(), StoreError>;
}
