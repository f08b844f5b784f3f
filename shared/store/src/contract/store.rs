//! What a store is to Millrace: every call, and what it promises when it is repeated.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use millrace_domain::{
    ClaimToken, Epoch, PartitionId, ProducerId, RunId, Seq, SessionId, TaskId, Timestamp, WorkflowId,
};

use super::{
    Acquired, Claim, ClaimVerdict, Cluster, Commit, Finish, FinishVerdict, Fullness, LogChunk, Revoke,
    Revoked, RunQuery, RunSummary, Session, StoreError, StoredLetter, StoredRun, StoredWorkflow, Table,
    TaskRecord, Timer, Verdict,
};

/// The greatest number of rows of a table whose values are read at once, see [`Store::read_table`].
pub const ROWS_AT_ONCE: usize = 512;

/// A store. Every write is idempotent by a number or a token of the caller's, so that after a lost reply the same
/// call is simply made again.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // -- the cluster ------------------------------------------------------------------------------------

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

    // -- partitions: only their owner writes -------------------------------------------------------------

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

    /// Whether the commit numbered (`epoch`, `seq`) was lost. A store that fails over to a replica may forget what it
    /// had confirmed last; where each epoch ended is written down when the next one begins. One that was emptied has
    /// lost every epoch before [`Cluster::since`]. `false` for what is there, and for epochs that are too long ago to
    /// be remembered. An error when nobody has founded the cluster (again) yet.
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

    /// Lists timers of a partition in order of (due, the timer's text), after `after`, at most `limit`.
    async fn timers(
        &self,
        partition: PartitionId,
        after: Option<(Timestamp, Timer)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timer)>, StoreError>;

    /// Lists dispatched attempts of a partition whose next look is in `looks`, in order of that, at most `limit`,
    /// leaving out the first `skip`.
    async fn watched(
        &self,
        partition: PartitionId,
        looks: RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, StoreError>;

    /// Sets when dispatched attempts are looked at next. A look that is set for a time after `due` is never put off, only
    /// brought forward, so that one that a claim has set meanwhile stands. Attempts that are no longer watched stay so. A
    /// stale epoch changes nothing.
    async fn set_looks(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) -> Result<(), StoreError>;

    /// Takes dispatched attempts back, atomically each, under the fence of `epoch`. See [`Revoke`].
    async fn revoke(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[(TaskId, Revoke)],
    ) -> Result<Vec<Revoked>, StoreError>;

    /// Forgets what ended long ago: finished runs beyond `keep` in number or older than `until`, with all
    /// that belongs to them, at most a bounded number a call, the first to expire first. A keyed run stays for
    /// 24 h at least after its creation.
    /// Answers how many were forgotten.
    async fn expire(
        &self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
    ) -> Result<usize, StoreError>;

    // -- claims: workers ---------------------------------------------------------------------------------

    /// Claims attempts, atomically each. The same token asked again gets the same answer.
    async fn claim(&self, claims: &[Claim]) -> Result<Vec<ClaimVerdict>, StoreError>;

    /// Stores outcomes, atomically each. Allowed when memory is full. The same again answers the same.
    async fn finish(&self, finishes: &[Finish]) -> Result<Vec<FinishVerdict>, StoreError>;

    /// Hands claimed attempts back unfinished, as if never claimed, so that somebody else can claim the same
    /// attempt. Those no longer held by the token stay as they are.
    async fn hand_back(&self, tasks: &[(TaskId, ClaimToken)]) -> Result<(), StoreError>;

    /// Reads how attempts stand: `None` for one that is not the current attempt of its step.
    async fn tasks(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskRecord>>, StoreError>;

    // -- sessions ----------------------------------------------------------------------------------------

    /// Renews a session: one write, however many tasks the worker runs. Allowed when memory is full.
    async fn renew_session(&self, session: &Session) -> Result<(), StoreError>;

    /// Lists all sessions that were renewed within the last hour or so; who is alive is for the reader to watch.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Removes a session.
    async fn end_session(&self, session: SessionId) -> Result<(), StoreError>;

    // -- reading, for anybody ----------------------------------------------------------------------------

    /// Reads runs as they are stored now: `None` for those that are not.
    async fn load_runs(&self, runs: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError>;

    /// Lists the heads of runs, the newest first.
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError>;

    /// Reads a workflow whose home is `home`: its head, and the source of `version` (the current one when `None`).
    async fn load_workflow(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError>;

    /// Reads workflows by their homes and names, with the sources of their current versions: `None` for those that
    /// are not there.
    async fn load_workflows(
        &self,
        workflows: &[(PartitionId, WorkflowId)],
    ) -> Result<Vec<Option<StoredWorkflow>>, StoreError> {
        let mut stored = Vec::with_capacity(workflows.len());
        for (home, workflow) in workflows {
            stored.push(self.load_workflow(*home, workflow, None).await?);
        }
        Ok(stored)
    }

    /// Lists the heads of all workflows whose home is `home`.
    async fn list_workflows(&self, home: PartitionId) -> Result<Vec<(WorkflowId, String)>, StoreError>;

    // -- logs --------------------------------------------------------------------------------------------

    /// Adds to the log of an attempt of a stored run. A chunk is kept while the bytes of it and of all before
    /// it, kept or not, are within `budget_bytes`: once that is passed, nothing more is kept.
    async fn append_log(&self, task: TaskId, lines: &[LogChunk], budget_bytes: u64)
    -> Result<(), StoreError>;

    /// Reads the log of an attempt from the chunk numbered `from`, at most `limit` chunks.
    async fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>, StoreError>;
}
