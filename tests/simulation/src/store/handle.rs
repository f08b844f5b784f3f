//! The store, as one process has it. The auditor looks at every call that takes effect.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::{
    ClaimToken, Epoch, PartitionId, PoolName, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowId,
};
use millrace_store::{
    Acquired, Claim, ClaimStore, ClaimVerdict, Cluster, ClusterStore, Commit, Finish, FinishVerdict,
    LogChunk, LogStore, PartitionStore, PausedPool, ReadStore, Revoke, Revoked, RunQuery, RunSummary,
    Session, SessionStore, StoreError, StoredLetter, StoredRun, StoredWorkflow, Table, TaskRecord, Timer,
    Verdict, WatchStore,
};

use super::catalog::Catalog;
use crate::process::{Lost, Process, Server};
use crate::world::{Shared, World};

/// A process's way to the store.
pub struct MemoryStore(pub(crate) Arc<Process>);

impl MemoryStore {
    /// A way to a store in a world of its own, in which nothing goes wrong. Needs a Tokio runtime.
    pub fn calm(world: &Shared) -> Self {
        Self(Arc::new(Process::new(0, "alone".to_owned(), world.clone(), None, false)))
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&mut World, Timestamp) -> T,
    ) -> Result<T, StoreError> {
        let asked = self.0.call(Server::Store, what, |world| {
            let now = world.now();
            effect(world, now)
        });
        asked.await.map_err(|Lost| StoreError::Unavailable("the simulation".into(), "no answer".into()))
    }
}

fn in_millis(now: Timestamp, millis: u64) -> Timestamp {
    now + Duration::from_millis(millis)
}

#[async_trait]
impl ClusterStore for MemoryStore {
    async fn found(&self, wanted: &Cluster) -> Result<Cluster, StoreError> {
        self.ask("found", |world, now| world.memory.found(wanted, now)).await
    }

    async fn cluster(&self) -> Result<(Option<Cluster>, Timestamp), StoreError> {
        self.ask("cluster", |world, now| (world.memory.cluster(), now)).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.ask("now", |_, now| now).await
    }

    async fn meet(&self, producer: ProducerId, ttl_ms: u64) -> Result<Vec<ProducerId>, StoreError> {
        self.ask("meet", |world, now| world.memory.meet(producer, in_millis(now, ttl_ms), now)).await
    }

    async fn leave(&self, producer: ProducerId) -> Result<(), StoreError> {
        self.ask("leave", |world, _| world.memory.leave(producer)).await
    }
}

#[async_trait]
impl PartitionStore for MemoryStore {
    async fn acquire(
        &self,
        partitions: &[PartitionId],
        owner: ProducerId,
        ttl_ms: u64,
    ) -> Result<Vec<Acquired>, StoreError> {
        self.ask("acquire", |world, now| {
            let until = in_millis(now, ttl_ms);
            let acquire = |partition: &PartitionId| {
                let answer = world.memory.acquire(*partition, owner, until, now);
                if let Acquired::Owned { epoch, .. } = answer {
                    world.note(self.0.number, "own", || format!("{} {partition} {}", self.0.name, epoch.0));
                    world.auditor.acquired(*partition, epoch);
                }
                answer
            };
            partitions.iter().map(acquire).collect()
        })
        .await
    }

    async fn renew(
        &self,
        held: &[(PartitionId, Epoch)],
        ttl_ms: u64,
        published_until: Timestamp,
    ) -> Result<Vec<Option<Seq>>, StoreError> {
        self.ask("renew", |world, now| {
            let until = in_millis(now, ttl_ms);
            held.iter()
                .map(|(partition, epoch)| world.memory.renew(*partition, *epoch, until, published_until))
                .collect()
        })
        .await
    }

    async fn release(&self, held: &[(PartitionId, Epoch)]) -> Result<(), StoreError> {
        self.ask("release", |world, _| {
            held.iter().for_each(|(partition, epoch)| world.memory.release(*partition, *epoch));
        })
        .await
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<(ProducerId, Timestamp)>, StoreError> {
        self.ask("holder", |world, _| world.memory.holder(partition)).await
    }

    async fn is_lost(&self, partition: PartitionId, epoch: Epoch, _seq: Seq) -> Result<bool, StoreError> {
        let answer = self.ask("lost", |world, _| world.memory.is_lost(partition, epoch)).await?;
        answer.ok_or_else(|| StoreError::Corrupt("the store holds no cluster".to_owned()))
    }

    async fn commit(&self, commits: &[Commit]) -> Result<Vec<Verdict>, StoreError> {
        {
            let mut world = self.0.world.lock();
            let believed = world.believed();
            world.auditor.sent(commits, believed);
        }
        self.ask("commit", |world, _| {
            let commit = |commit: &Commit| {
                let verdict = world.memory.commit(commit);
                let name = &self.0.name;
                world.trace.note(world.true_now(), self.0.number, "committed", commit.seq.0, || {
                    crate::words::commit(name, commit, &verdict)
                });
                let believed = world.believed();
                world.auditor.committed(&world.memory, commit, &verdict, believed);
                verdict
            };
            commits.iter().map(commit).collect()
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
        self.ask("letters", |world, _| world.memory.letters(partition, from, after, limit)).await
    }

    async fn table_keys(&self, partition: PartitionId, table: Table) -> Result<Vec<String>, StoreError> {
        self.ask("table_keys", |world, _| world.memory.table_keys(partition, table)).await
    }

    async fn table_rows(
        &self,
        partition: PartitionId,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<Option<String>>, StoreError> {
        self.ask("table_rows", |world, _| world.memory.table_rows(partition, table, keys)).await
    }
}

#[async_trait]
impl WatchStore for MemoryStore {
    async fn timers(
        &self,
        partition: PartitionId,
        after: Option<(Timestamp, Timer)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timer)>, StoreError> {
        self.ask("timers", |world, _| world.memory.timers(partition, after.as_ref(), limit)).await
    }

    async fn watched(
        &self,
        partition: PartitionId,
        looks: RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, StoreError> {
        self.ask("watched", |world, _| world.memory.watched(partition, &looks, skip, limit)).await
    }

    async fn set_looks(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) -> Result<(), StoreError> {
        self.ask("set_looks", |world, _| world.memory.set_looks(partition, epoch, due, looks)).await
    }

    async fn revoke(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[(TaskId, Revoke)],
    ) -> Result<Vec<Revoked>, StoreError> {
        self.ask("revoke", |world, _| {
            let revoke = |(task, when): &(TaskId, Revoke)| {
                let answer = world.memory.revoke(partition, epoch, *task, *when);
                world
                    .trace
                    .note(world.true_now(), self.0.number, "revoked", task, || format!("{task}: {answer:?}"));
                if answer == Revoked::Done {
                    let now = world.true_now();
                    world.auditor.revoked(partition, epoch, *task, *when, now);
                }
                answer
            };
            tasks.iter().map(revoke).collect()
        })
        .await
    }

    async fn expire(
        &self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
    ) -> Result<usize, StoreError> {
        self.ask("expire", |world, now| world.memory.expire(partition, until, keep, now)).await
    }
}

#[async_trait]
impl ClaimStore for MemoryStore {
    async fn claim(&self, claims: &[Claim]) -> Result<Vec<ClaimVerdict>, StoreError> {
        let claimed = self.ask("claim", |world, now| {
            let claim = |claim: &Claim| {
                let verdict = world.memory.claim(claim, now);
                let (number, name, task) = (self.0.number, &self.0.name, claim.task);
                world.trace.note(world.true_now(), number, "claimed", task, || {
                    format!("{name} {task}: {verdict:?}")
                });
                let now = world.true_now();
                world.auditor.claimed(claim, &verdict, number, now);
                verdict
            };
            claims.iter().map(claim).collect()
        });
        let verdicts: Vec<ClaimVerdict> = claimed.await?;
        let mut world = self.0.world.lock();
        for (claim, verdict) in claims.iter().zip(&verdicts) {
            if *verdict != ClaimVerdict::Granted {
                world.auditor.may_ack(self.0.number, claim.task);
            }
        }
        Ok(verdicts)
    }

    async fn finish(&self, finishes: &[Finish]) -> Result<Vec<FinishVerdict>, StoreError> {
        let finished = self.ask("finish", |world, _| {
            let finish = |finish: &Finish| {
                let verdict = world.memory.finish(finish);
                let (number, name, task) = (self.0.number, &self.0.name, finish.task);
                world.trace.note(world.true_now(), number, "finished", task, || {
                    format!("{name} {task}: {verdict:?} {}", finish.result)
                });
                let now = world.true_now();
                world.auditor.finished(finish, verdict, now);
                verdict
            };
            finishes.iter().map(finish).collect()
        });
        let verdicts: Vec<FinishVerdict> = finished.await?;
        let mut world = self.0.world.lock();
        finishes.iter().for_each(|finish| world.auditor.may_ack(self.0.number, finish.task));
        Ok(verdicts)
    }

    async fn hand_back(&self, tasks: &[(TaskId, ClaimToken)]) -> Result<(), StoreError> {
        self.ask("hand_back", |world, now| {
            for (task, token) in tasks {
                world.memory.hand_back(*task, *token, now);
                world.trace.note(world.true_now(), self.0.number, "handed", task, || format!("back {task}"));
                world.auditor.handed_back(*task, *token);
            }
        })
        .await
    }

    async fn tasks(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskRecord>>, StoreError> {
        self.ask("tasks", |world, _| tasks.iter().map(|task| world.memory.task(*task)).collect()).await
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn renew_session(&self, session: &Session) -> Result<Vec<String>, StoreError> {
        let renewed = self.ask("session", |world, now| {
            world.memory.renew_session(session, now);
            let paused: Vec<String> = world.memory.paused_pools.keys().map(ToString::to_string).collect();
            let now = world.true_now();
            world.auditor.renewed(session.id, self.0.number, now);
            paused
        });
        let paused = renewed.await?;
        let mut world = self.0.world.lock();
        let now = world.true_now();
        world.auditor.heard_of_renewal(session.id, now);
        world.auditor.heard_of_pause(session.id, !paused.is_empty(), now);
        Ok(paused)
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.ask("sessions", |world, now| world.memory.sessions(now)).await
    }

    async fn end_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.ask("end", |world, _| world.memory.end_session(session)).await
    }

    async fn pause_pool(&self, paused: &PausedPool) -> Result<bool, StoreError> {
        self.ask("pause pool", |world, _| world.memory.pause_pool(paused)).await
    }

    async fn resume_pool(&self, pool: &PoolName) -> Result<bool, StoreError> {
        self.ask("resume pool", |world, _| world.memory.paused_pools.remove(pool).is_some()).await
    }

    async fn paused_pools(&self) -> Result<Vec<PausedPool>, StoreError> {
        self.ask("paused pools", |world, _| world.memory.paused_pools.values().cloned().collect()).await
    }
}

#[async_trait]
impl ReadStore for MemoryStore {
    async fn load_runs(&self, runs: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
        self.ask("load", |world, _| runs.iter().map(|run| world.memory.load_run(*run)).collect()).await
    }

    async fn items(
        &self,
        run: RunId,
        step: StepIndex,
        items: Range<u32>,
    ) -> Result<Vec<Option<String>>, StoreError> {
        self.ask("items", |world, _| world.memory.items(run, step, items)).await
    }

    async fn apart(&self, run: RunId, step: StepIndex) -> Result<Option<String>, StoreError> {
        self.ask("apart", |world, _| world.memory.apart(run, step)).await
    }

    async fn history(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.ask("history", |world, _| world.memory.history(run, after, limit)).await
    }

    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError> {
        self.ask("list", |world, _| world.memory.list_runs(query)).await
    }

    async fn load_workflow(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError> {
        self.ask("workflow", |world, _| world.memory.catalog(home)?.load(workflow, version)).await
    }

    async fn list_workflows(&self, home: PartitionId) -> Result<Vec<(WorkflowId, String)>, StoreError> {
        self.ask("workflows", |world, _| world.memory.catalog(home).map(Catalog::list).unwrap_or_default())
            .await
    }
}

#[async_trait]
impl LogStore for MemoryStore {
    async fn append_log(
        &self,
        task: TaskId,
        lines: &[LogChunk],
        budget_bytes: u64,
    ) -> Result<(), StoreError> {
        self.ask("log", |world, _| world.memory.append_log(task, lines, budget_bytes)).await
    }

    async fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>, StoreError> {
        self.ask("read_log", |world, _| world.memory.read_log(task, from, limit)).await
    }
}
