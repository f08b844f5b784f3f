//! The contract, call by call, on Redis.

use std::ops::{Range, RangeInclusive};

use async_trait::async_trait;
use millrace_domain::{
    ClaimToken, Epoch, PartitionId, PoolName, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowId,
};
use tokio::sync::watch::Receiver;

use super::connection::Connection;
use super::keys::Keys;
use super::replicas::Replicas;
use super::{
    Options, catalog, claim, cluster, commit, expire, history, items, letter, list, log, partition, pool,
    revoke, run, session, table, task, timer, watch,
};
use crate::{
    Acquired, Claim, ClaimStore, ClaimVerdict, Cluster, ClusterStore, Commit, Finish, FinishVerdict,
    Fullness, LogChunk, LogStore, PartitionStore, PausedPool, ReadStore, Revoke, Revoked, RunQuery,
    RunSummary, Session, SessionStore, StoreError, StoredLetter, StoredRun, StoredWorkflow, Table,
    TaskRecord, Timer, Verdict, WatchStore,
};

/// The store of a fleet.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    /// The connection for what counts only once replicas have it; `None` when none are waited for.
    replicated: Option<Connection>,
    keys: Keys,
}

impl RedisStore {
    /// Connects to the store. A server that cannot be reached is no error: calls answer [`StoreError::Unavailable`]
    /// until it is there, see [`RedisStore::ready`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Configuration`] for an address that is none, a refused password, a server older than 7.0;
    /// [`StoreError::Unsafe`] for a server that would lose data, unless that is allowed. Both also come from
    /// every call when the server turns out to be such a one after a reconnection.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        let keys = Keys::new(&options.prefix);
        let mut connection = Connection::open(&options, None).await?;
        let replicated = match options.wait_replicas {
            0 => None,
            count => {
                let replicas = Replicas::new(count, keys.mark(), options.response_timeout);
                let mut replicated = Connection::open(&options, Some(replicas)).await?;
                connection.pair(&mut replicated);
                Some(replicated)
            }
        };
        Ok(Self { connection, replicated, keys })
    }

    /// The connection for what others are told of: that it is committed, claimed, finished.
    fn told(&self) -> &Connection {
        self.replicated.as_ref().unwrap_or(&self.connection)
    }

    /// Whether it is connected, now and later. For `/readyz`.
    pub fn ready(&self) -> Receiver<bool> {
        self.connection.ready()
    }
}

#[async_trait]
impl ClusterStore for RedisStore {
    async fn found(&self, wanted: &Cluster) -> Result<Cluster, StoreError> {
        cluster::found(&self.connection, &self.keys, wanted).await
    }

    async fn cluster(&self) -> Result<(Option<Cluster>, Timestamp), StoreError> {
        cluster::stored(&self.connection, &self.keys).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        cluster::now(&self.connection).await
    }

    async fn fullness(&self) -> Result<Fullness, StoreError> {
        cluster::fullness(&self.connection).await
    }

    async fn meet(&self, producer: ProducerId, ttl_ms: u64) -> Result<Vec<ProducerId>, StoreError> {
        cluster::meet(&self.connection, &self.keys, producer, ttl_ms).await
    }

    async fn leave(&self, producer: ProducerId) -> Result<(), StoreError> {
        cluster::leave(&self.connection, &self.keys, producer).await
    }
}

#[async_trait]
impl PartitionStore for RedisStore {
    async fn acquire(
        &self,
        partitions: &[PartitionId],
        owner: ProducerId,
        ttl_ms: u64,
    ) -> Result<Vec<Acquired>, StoreError> {
        partition::acquire(&self.connection, &self.keys, partitions, owner, ttl_ms).await
    }

    async fn renew(
        &self,
        held: &[(PartitionId, Epoch)],
        ttl_ms: u64,
        published_until: Timestamp,
    ) -> Result<Vec<Option<Seq>>, StoreError> {
        partition::renew(&self.connection, &self.keys, held, ttl_ms, published_until).await
    }

    async fn release(&self, held: &[(PartitionId, Epoch)]) -> Result<(), StoreError> {
        partition::release(&self.connection, &self.keys, held).await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<(ProducerId, Timestamp)>, StoreError> {
        partition::holder(&self.connection, &self.keys, partition).await
    }

    async fn is_lost(&self, partition: PartitionId, epoch: Epoch, seq: Seq) -> Result<bool, StoreError> {
        partition::is_lost(&self.connection, &self.keys, partition, epoch, seq).await
    }

    async fn commit(&self, commits: &[Commit]) -> Result<Vec<Verdict>, StoreError> {
        commit::commit(self.told(), &self.keys, commits).await
    }

    async fn letters(
        &self,
        partition: PartitionId,
        from: Timestamp,
        after: Option<&StoredLetter>,
        limit: usize,
    ) -> Result<Vec<StoredLetter>, StoreError> {
        letter::list(&self.connection, &self.keys, partition, from, after, limit).await
    }

    async fn table_keys(&self, partition: PartitionId, table: Table) -> Result<Vec<String>, StoreError> {
        table::row_keys(&self.connection, &self.keys, partition, table).await
    }

    async fn table_rows(
        &self,
        partition: PartitionId,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, StoreError> {
        table::rows(&self.connection, &self.keys, partition, table, keys).await
    }
}

#[async_trait]
impl WatchStore for RedisStore {
    async fn timers(
        &self,
        partition: PartitionId,
        after: Option<(Timestamp, Timer)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timer)>, StoreError> {
        timer::list(&self.connection, &self.keys, partition, after, limit).await
    }

    async fn watched(
        &self,
        partition: PartitionId,
        looks: RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, StoreError> {
        watch::list(&self.connection, &self.keys, partition, looks, skip, limit).await
    }

    async fn set_looks(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) -> Result<(), StoreError> {
        watch::set_looks(&self.connection, &self.keys, partition, epoch, due, looks).await
    }

    async fn revoke(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[(TaskId, Revoke)],
    ) -> Result<Vec<Revoked>, StoreError> {
        revoke::revoke(&self.connection, &self.keys, partition, epoch, tasks).await
    }

    async fn expire(
        &self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
    ) -> Result<usize, StoreError> {
        expire::expire(&self.connection, &self.keys, partition, until, keep).await
    }
}

#[async_trait]
impl ClaimStore for RedisStore {
    async fn claim(&self, claims: &[Claim]) -> Result<Vec<ClaimVerdict>, StoreError> {
        claim::claim(self.told(), &self.keys, claims).await
    }

    async fn finish(&self, finishes: &[Finish]) -> Result<Vec<FinishVerdict>, StoreError> {
        claim::finish(self.told(), &self.keys, finishes).await
    }

    async fn hand_back(&self, tasks: &[(TaskId, ClaimToken)]) -> Result<(), StoreError> {
        claim::hand_back(&self.connection, &self.keys, tasks).await
    }

    async fn tasks(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskRecord>>, StoreError> {
        task::tasks(&self.connection, &self.keys, tasks).await
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn renew_session(&self, session: &Session) -> Result<Vec<String>, StoreError> {
        session::renew(&self.connection, &self.keys, session).await
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        session::list(&self.connection, &self.keys).await
    }

    async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        session::end(&self.connection, &self.keys, session).await
    }

    async fn pause_pool(&self, paused: &PausedPool) -> Result<bool, StoreError> {
        pool::pause(&self.connection, &self.keys, paused).await
    }

    async fn resume_pool(&self, pool: &PoolName) -> Result<bool, StoreError> {
        pool::resume(&self.connection, &self.keys, pool).await
    }

    async fn paused_pools(&self) -> Result<Vec<PausedPool>, StoreError> {
        pool::paused(&self.connection, &self.keys).await
    }
}

#[async_trait]
impl ReadStore for RedisStore {
    async fn load_runs(&self, runs: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
        run::load(&self.connection, &self.keys, runs).await
    }

    async fn items(
        &self,
        run: RunId,
        step: StepIndex,
        items: Range<u32>,
    ) -> Result<Vec<Option<String>>, StoreError> {
        items::items(&self.connection, &self.keys, run, step, items).await
    }

    async fn apart(&self, run: RunId, step: StepIndex) -> Result<Option<String>, StoreError> {
        items::apart(&self.connection, &self.keys, run, step).await
    }

    async fn history(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        history::read(&self.connection, &self.keys, run, after, limit).await
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError> {
        list::runs(&self.connection, &self.keys, query).await
    }

    async fn load_workflow(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError> {
        catalog::load(&self.connection, &self.keys, home, workflow, version).await
    }

    async fn load_workflows(
        &self,
        workflows: &[(PartitionId, WorkflowId)],
    ) -> Result<Vec<Option<StoredWorkflow>>, StoreError> {
        catalog::load_all(&self.connection, &self.keys, workflows).await
    }

    async fn list_workflows(&self, home: PartitionId) -> Result<Vec<(WorkflowId, String)>, StoreError> {
        catalog::list(&self.connection, &self.keys, home).await
    }
}

#[async_trait]
impl LogStore for RedisStore {
    async fn append_log(
        &self,
        task: TaskId,
        lines: &[LogChunk],
        budget_bytes: u64,
    ) -> Result<(), StoreError> {
        log::append(&self.connection, &self.keys, task, lines, budget_bytes).await
    }

    async fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>, StoreError> {
        log::read(&self.connection, &self.keys, task, from, limit).await
    }
}
