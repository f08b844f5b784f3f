//! Partitions: who owns one, and what its owner commits. Only the owner writes.

use async_trait::async_trait;
use millrace_domain::{Epoch, PartitionId, ProducerId, Seq, Timestamp};

use super::super::{Acquired, Commit, StoreError, StoredLetter, Table, Verdict};

/// The greatest number of rows of a table whose values are read at once, see [`PartitionStore::read_table`].
pub const ROWS_AT_ONCE: usize = 512;

/// The part of a store in which owners keep their partitions.
#[async_trait]
pub trait PartitionStore: Send + Sync + 'static {
    /// Takes partitions that are free, lapsed, or `owner`'s own. Each taking begins a new epoch,
    /// `max(last + 1, microseconds of the store's clock)`, with seq 0. Nobody holds one for longer than `ttl_ms` from
    /// now, unless it is renewed: who took it when the clock was ahead loses it all the same.
    async fn acquire(
        &self,
        partitions: &[PartitionId],
        owner: ProducerId,
        ttl_ms: u64,
    ) -> Result<Vec<Acquired>, StoreError>;

    /// Keeps partitions for another `ttl_ms`, and answers the seq of the last commit of each; `None` for those whose
    /// epoch is another now, and for those that were given back. What was dispatched before `published_until` is with the
    /// broker: the watermark of each is raised to that, and never lowered; letters of before it have arrived, and are
    /// dropped.
    async fn renew(
        &self,
        held: &[(PartitionId, Epoch)],
        ttl_ms: u64,
        published_until: Timestamp,
    ) -> Result<Vec<Option<Seq>>, StoreError>;

    /// Gives partitions back at once. A stale epoch changes nothing.
    async fn release(&self, held: &[(PartitionId, Epoch)]) -> Result<(), StoreError>;

    /// Reads who holds a partition, and until when by the store's clock; `None` for one that was given back, or that nobody has
    /// ever taken.
    async fn holder(&self, partition: PartitionId) -> Result<Option<(ProducerId, Timestamp)>, StoreError>;

    /// Whether the commit numbered (`epoch`, `seq`) was lost. A store that fails over to a replica may forget what it
    /// had confirmed last; where each epoch ended is written down when the next one begins. One that was emptied has
    /// lost every epoch before [`Cluster::since`](crate::Cluster::since). `false` for what is there, and for epochs that
    /// are too long ago to be remembered. An error when nobody has founded the cluster (again) yet.
    async fn is_lost(&self, partition: PartitionId, epoch: Epoch, seq: Seq) -> Result<bool, StoreError>;

    /// Applies each commit atomically, all in one round trip, with a verdict each, in order. A commit needs the
    /// stored epoch to be equal and its seq to be the last + 1; the last one sent again answers as it did
    /// the first time. Runs that are damaged in the store are left as they are; the rest of a commit holds. An `Err`
    /// says nothing of what was applied: send the same commits again.
    async fn commit(&self, commits: &[Commit]) -> Result<Vec<Verdict>, StoreError>;

    /// Lists the letters of a partition that were sent at `from` or later, in order of (when, epoch, seq, number), after
    /// `after`, at most `limit`. A letter stays until a renewal drops it. One that cannot be read is left out.
    async fn letters(
        &self,
        partition: PartitionId,
        from: Timestamp,
        after: Option<&StoredLetter>,
        limit: usize,
    ) -> Result<Vec<StoredLetter>, StoreError>;

    /// Lists the keys of the rows of a table, in order.
    async fn table_keys(&self, partition: PartitionId, table: Table) -> Result<Vec<String>, StoreError>;

    /// Reads rows of a table by their keys: `None` for those that are not there.
    async fn table_rows(
        &self,
        partition: PartitionId,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, StoreError>;

    /// Reads a table whole, in order of its keys, as its owner does who takes the partition over: the keys at once, since
    /// they are short, and then the values of at most [`ROWS_AT_ONCE`] of them a call. Only its owner writes it, so that
    /// nothing changes in between.
    async fn read_table(
        &self,
        partition: PartitionId,
        table: Table,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let keys = self.table_keys(partition, table).await?;
        let mut rows = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ROWS_AT_ONCE) {
            let values = self.table_rows(partition, table, keys).await?;
            let found = keys.iter().zip(values).filter_map(|(key, value)| Some((key.clone(), value?)));
            rows.extend(found);
        }
        Ok(rows)
    }
}
