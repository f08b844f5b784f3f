//! [`SqliteStore`]: every call of the contract, handed to the thread that owns the connection.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use millrace_domain::{
    ClaimToken, Epoch, PartitionId, PoolName, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowId,
};

use super::place::Place;
use super::writer::Writer;
use super::{
    catalog, claim, cluster, commit, expire, file, history, item, letter, list, log, partition, pool, revoke,
    run, session, table, task, timer, watch,
};
use crate::{
    Acquired, Claim, ClaimStore, ClaimVerdict, Cluster, ClusterStore, Commit, Finish, FinishVerdict,
    LogChunk, LogStore, PartitionStore, PausedPool, ReadStore, Revoke, Revoked, RunQuery, RunSummary,
    Session, SessionStore, StoreError, StoredLetter, StoredRun, StoredWorkflow, Table, TaskRecord, Timer,
    Verdict, WatchStore,
};

/// A clock: what tells the time. It is asked from the store's own thread.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The embedded store. Dropping it closes the database, after the calls that wait.
pub struct SqliteStore {
    writer: Writer,
    clock: Clock,
    /// The place of the file; `None` for a store in memory.
    place: Option<Arc<Place>>,
}

impl SqliteStore {
    /// Opens the database file at `path`, creating it when it is not there, and keeps it locked. Its directory
    /// must exist. What is answered survives the end of the process; what the outside world is told of (a run
    /// is accepted, a run has ended, a workflow or a schedule is changed) survives a power loss too. What workers
    /// wrote in the last moments before one may be lost, and their tasks run again.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] for a file that is in use, that another program or a newer version wrote, or
    /// that cannot be opened; [`StoreError::Corrupt`] for one that is no database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_clock(path, wall_clock())
    }

    /// Opens the database file at `path`, as [`SqliteStore::open`] does, by another clock.
    ///
    /// # Errors
    /// As for [`SqliteStore::open`].
    pub fn open_with_clock(path: impl AsRef<Path>, clock: Clock) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let writer = Writer::start(file::open(path)?, &path.display().to_string())?;
        Ok(Self { writer, clock, place: Some(Arc::new(Place::new(path))) })
    }

    /// Makes an empty store that lives as long as this value.
    ///
    /// # Errors
    /// When there is no memory or no thread left for it.
    pub fn memory() -> Result<Self, StoreError> {
        Self::memory_with_clock(wall_clock())
    }

    /// Makes an empty store, as [`SqliteStore::memory`] does, by another clock.
    ///
    /// # Errors
    /// As for [`SqliteStore::memory`].
    pub fn memory_with_clock(clock: Clock) -> Result<Self, StoreError> {
        Ok(Self { writer: Writer::start(file::memory()?, "memory")?, clock, place: None })
    }
}

fn wall_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

#[async_trait]
impl ClusterStore for SqliteStore {
    async fn found(&self, wanted: &Cluster) -> Result<Cluster, StoreError> {
        let (clock, wanted) = (self.clock.clone(), wanted.clone());
        self.writer.call(move |connection| cluster::found(connection, &wanted, clock())).await
    }

    async fn cluster(&self) -> Result<(Option<Cluster>, Timestamp), StoreError> {
        let place = self.place.clone();
        let stored = self.writer.call(move |connection| {
            // Here, where reading a folder holds up nobody else.
            if let Some(place) = &place {
                place.look();
            }
            cluster::stored(connection)
        });
        Ok((stored.await?, (self.clock)()))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok((self.clock)())
    }

    async fn meet(&self, producer: ProducerId, ttl_ms: u64) -> Result<Vec<ProducerId>, StoreError> {
        let clock = self.clock.clone();
        self.writer
            .call(move |connection| {
                let now = clock();
                cluster::meet(connection, producer, now, now + Duration::from_millis(ttl_ms))
            })
            .await
    }

    async fn leave(&self, producer: ProducerId) -> Result<(), StoreError> {
        self.writer.call(move |connection| cluster::leave(connection, producer)).await
    }
}

#[async_trait]
impl PartitionStore for SqliteStore {
    async fn acquire(
        &self,
        partitions: &[PartitionId],
        owner: ProducerId,
        ttl_ms: u64,
    ) -> Result<Vec<Acquired>, StoreError> {
        let (clock, partitions) = (self.clock.clone(), partitions.to_vec());
        self.writer
            .call(move |connection| {
                let now = clock();
                let until = now + Duration::from_millis(ttl_ms);
                let take = |id: &PartitionId| partition::acquire(connection, *id, owner, now, until);
                partitions.iter().map(take).collect()
            })
            .await
    }

    async fn renew(
        &self,
        held: &[(PartitionId, Epoch)],
        ttl_ms: u64,
        published_until: Timestamp,
    ) -> Result<Vec<Option<Seq>>, StoreError> {
        let (clock, held) = (self.clock.clone(), held.to_vec());
        self.writer
            .call(move |connection| {
                let until = clock() + Duration::from_millis(ttl_ms);
                held.iter()
                    .map(|(id, epoch)| partition::renew(connection, *id, *epoch, until, published_until))
                    .collect()
            })
            .await
    }

    async fn release(&self, held: &[(PartitionId, Epoch)]) -> Result<(), StoreError> {
        let held = held.to_vec();
        self.writer
            .call(move |connection| {
                held.iter().try_for_each(|(id, epoch)| partition::release(connection, *id, *epoch))
            })
            .await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<(ProducerId, Timestamp)>, StoreError> {
        self.writer.call(move |connection| partition::holder(connection, partition)).await
    }

    async fn is_lost(&self, partition: PartitionId, epoch: Epoch, _seq: Seq) -> Result<bool, StoreError> {
        self.writer.call(move |connection| partition::is_lost(connection, partition, epoch)).await
    }

    async fn commit(&self, commits: &[Commit]) -> Result<Vec<Verdict>, StoreError> {
        let commits = commits.to_vec();
        let flush = commits.iter().any(commit::tells);
        self.writer
            .call_flushed(flush, move |connection| {
                commits.iter().map(|commit| commit::commit(connection, commit)).collect()
            })
            .await
    }

    async fn letters(
        &self,
        partition: PartitionId,
        from: Timestamp,
        after: Option<&StoredLetter>,
        limit: usize,
    ) -> Result<Vec<StoredLetter>, StoreError> {
        let after = after.cloned();
        self.writer
            .call(move |connection| letter::list(connection, partition, from, after.as_ref(), limit))
            .await
    }

    async fn table_keys(&self, partition: PartitionId, table: Table) -> Result<Vec<String>, StoreError> {
        self.writer.call(move |connection| table::keys(connection, partition, table)).await
    }

    async fn table_rows(
        &self,
        partition: PartitionId,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, StoreError> {
        let keys = keys.to_vec();
        self.writer.call(move |connection| table::read(connection, partition, table, &keys)).await
    }
}

#[async_trait]
impl WatchStore for SqliteStore {
    async fn timers(
        &self,
        partition: PartitionId,
        after: Option<(Timestamp, Timer)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timer)>, StoreError> {
        self.writer.call(move |connection| timer::list(connection, partition, after.as_ref(), limit)).await
    }

    async fn watched(
        &self,
        partition: PartitionId,
        looks: RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, StoreError> {
        self.writer.call(move |connection| watch::list(connection, partition, &looks, skip, limit)).await
    }

    async fn set_looks(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) -> Result<(), StoreError> {
        let looks = looks.to_vec();
        self.writer.call(move |connection| watch::set_looks(connection, partition, epoch, due, &looks)).await
    }

    async fn revoke(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[(TaskId, Revoke)],
    ) -> Result<Vec<Revoked>, StoreError> {
        let tasks = tasks.to_vec();
        self.writer.call(move |connection| revoke::revoke(connection, partition, epoch, &tasks)).await
    }

    async fn expire(
        &self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
    ) -> Result<usize, StoreError> {
        let clock = self.clock.clone();
        self.writer.call(move |connection| expire::expire(connection, partition, until, keep, clock())).await
    }
}

#[async_trait]
impl ClaimStore for SqliteStore {
    async fn claim(&self, claims: &[Claim]) -> Result<Vec<ClaimVerdict>, StoreError> {
        let (clock, claims) = (self.clock.clone(), claims.to_vec());
        self.writer
            .call(move |connection| {
                let now = clock();
                claims.iter().map(|claim| claim::claim(connection, claim, now)).collect()
            })
            .await
    }

    async fn finish(&self, finishes: &[Finish]) -> Result<Vec<FinishVerdict>, StoreError> {
        let finishes = finishes.to_vec();
        self.writer
            .call(move |connection| finishes.iter().map(|finish| claim::finish(connection, finish)).collect())
            .await
    }

    async fn hand_back(&self, tasks: &[(TaskId, ClaimToken)]) -> Result<(), StoreError> {
        let (clock, tasks) = (self.clock.clone(), tasks.to_vec());
        self.writer
            .call(move |connection| {
                let now = clock();
                tasks.iter().try_for_each(|(task, token)| claim::hand_back(connection, *task, *token, now))
            })
            .await
    }

    async fn tasks(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskRecord>>, StoreError> {
        let tasks = tasks.to_vec();
        self.writer
            .call(move |connection| {
                let record = |task: &TaskId| Ok(task::find(connection, *task)?.map(|found| found.record));
                tasks.iter().map(record).collect()
            })
            .await
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn renew_session(&self, session: &Session) -> Result<Vec<String>, StoreError> {
        let (clock, session) = (self.clock.clone(), session.clone());
        self.writer.call(move |connection| session::renew(connection, &session, clock())).await
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        let clock = self.clock.clone();
        self.writer.call(move |connection| session::list(connection, clock())).await
    }

    async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.writer.call(move |connection| session::end(connection, session)).await
    }

    async fn pause_pool(&self, paused: &PausedPool) -> Result<bool, StoreError> {
        let paused = paused.clone();
        self.writer.call(move |connection| pool::pause(connection, &paused)).await
    }

    async fn resume_pool(&self, pool: &PoolName) -> Result<bool, StoreError> {
        let pool = pool.clone();
        self.writer.call(move |connection| pool::resume(connection, &pool)).await
    }

    async fn paused_pools(&self) -> Result<Vec<PausedPool>, StoreError> {
        self.writer.call(pool::paused).await
    }
}

#[async_trait]
impl ReadStore for SqliteStore {
    async fn load_runs(&self, runs: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
        let runs = runs.to_vec();
        self.writer.call(move |connection| runs.iter().map(|run| run::load(connection, *run)).collect()).await
    }

    async fn items(
        &self,
        run: RunId,
        step: StepIndex,
        items: Range<u32>,
    ) -> Result<Vec<Option<String>>, StoreError> {
        self.writer.call(move |connection| item::ends(connection, run, step, items)).await
    }

    async fn apart(&self, run: RunId, step: StepIndex) -> Result<Option<String>, StoreError> {
        self.writer.call(move |connection| item::apart(connection, run, step)).await
    }

    async fn history(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.writer.call(move |connection| history::read(connection, run, after, limit)).await
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError> {
        let query = query.clone();
        self.writer.call(move |connection| list::runs(connection, &query)).await
    }

    async fn load_workflow(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError> {
        let workflow = workflow.clone();
        self.writer.call(move |connection| catalog::load(connection, home, &workflow, version)).await
    }

    async fn list_workflows(&self, home: PartitionId) -> Result<Vec<(WorkflowId, String)>, StoreError> {
        self.writer.call(move |connection| catalog::list(connection, home)).await
    }
}

#[async_trait]
impl LogStore for SqliteStore {
    async fn append_log(
        &self,
        task: TaskId,
        lines: &[LogChunk],
        budget_bytes: u64,
    ) -> Result<(), StoreError> {
        let lines = lines.to_vec();
        self.writer.call(move |connection| log::append(connection, task, &lines, budget_bytes)).await
    }

    async fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>, StoreError> {
        self.writer.call(move |connection| log::read(connection, task, from, limit)).await
    }
}
