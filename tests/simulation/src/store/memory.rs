//! Everything that is stored, and one method for each call of the contract, with the store's time as an argument.
//! Nothing here waits or fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use millrace_domain::{
    Epoch, PartitionId, PoolName, ProducerId, RunId, Seq, SessionId, TaskId, Timestamp, TriggerId, WorkflowId,
};
use millrace_store::{Acquired, Cluster, Commit, PausedPool, Session, StoredLetter, Table, Timer, Verdict};

use super::catalog::Catalog;
use super::guards::Guards;
use super::run::Run;

/// The time after which a session that was not renewed is forgotten.
const FORGET_AFTER_MS: u64 = 3_600_000;

/// A store in memory: all that is stored.
#[derive(Debug, Default)]
pub struct Memory {
    /// The guards that are in place.
    pub guards: Guards,
    pub(super) founded: Option<Cluster>,
    pub(super) producers: BTreeMap<ProducerId, Timestamp>,
    pub(super) partitions: BTreeMap<PartitionId, Partition>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) sessions: BTreeMap<SessionId, (Timestamp, Session)>,
    pub(super) paused_pools: BTreeMap<PoolName, PausedPool>,
}

/// The order of letters: when they were sent, epoch, seq and number.
pub(super) type LetterKey = (Timestamp, Epoch, Seq, u32);

/// A partition: who owns it, and what it holds beside its runs.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) ownership: Option<Ownership>,
    pub(super) timers: BTreeMap<Timer, Timestamp>,
    /// The dispatched attempts, by when to look at them.
    pub(super) watch: BTreeSet<(Timestamp, TaskId)>,
    pub(super) catalog: Catalog,
    pub(super) letters: BTreeMap<LetterKey, StoredLetter>,
    pub(super) tables: BTreeMap<Table, BTreeMap<String, String>>,
}

#[derive(Debug)]
pub(super) struct Ownership {
    owner: Option<ProducerId>,
    until: Timestamp,
    epoch: Epoch,
    seq: Seq,
    published_until: Timestamp,
    /// The runs that the last commit was to create and that existed.
    duplicates: Vec<RunId>,
}

impl Memory {
    /// An empty store that watches over what `guards` says.
    pub fn new(guards: Guards) -> Self {
        Self { guards, ..Self::default() }
    }

    /// The number of partitions, once the cluster is founded.
    pub(crate) fn founded(&self) -> Option<u16> {
        self.founded.as_ref().map(|cluster| cluster.partitions)
    }

    pub(crate) fn found(&mut self, wanted: &Cluster, now: Timestamp) -> Cluster {
        let since = Epoch(u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000));
        let founded = self.founded.get_or_insert_with(|| Cluster { since, ..wanted.clone() });
        if founded.queues.is_empty() {
            founded.queues.clone_from(&wanted.queues);
        }
        founded.clone()
    }

    pub(crate) fn cluster(&self) -> Option<Cluster> {
        self.founded.clone()
    }

    /// Is what a partition held under an epoch lost? This store goes back to no earlier state, so that only what
    /// another one held can be. `None` before the founding.
    pub(crate) fn is_lost(&self, id: PartitionId, epoch: Epoch) -> Option<bool> {
        let since = self.founded.as_ref()?.since;
        let is_known = self.partitions.get(&id).is_some_and(|partition| partition.ownership.is_some());
        Some(epoch < since || !is_known)
    }

    pub(crate) fn meet(&mut self, producer: ProducerId, until: Timestamp, now: Timestamp) -> Vec<ProducerId> {
        self.producers.retain(|_, until| *until > now);
        self.producers.insert(producer, until);
        if self.guards.clock {
            self.producers.values_mut().for_each(|other| *other = until.min(*other));
        }
        self.producers.keys().copied().collect()
    }

    pub(crate) fn leave(&mut self, producer: ProducerId) {
        self.producers.remove(&producer);
    }

    pub(super) fn partition(&mut self, id: PartitionId) -> &mut Partition {
        self.partitions.entry(id).or_default()
    }

    pub(crate) fn acquire(
        &mut self,
        id: PartitionId,
        owner: ProducerId,
        until: Timestamp,
        now: Timestamp,
    ) -> Acquired {
        let clock = self.guards.clock;
        let partition = self.partition(id);
        let last = partition.ownership.take();
        if let Some(held) = &last
            && let Some(other) = held.owner
            && other != owner
            && now < held.until
        {
            let until = if clock { until.min(held.until) } else { held.until };
            partition.ownership = last.map(|held| Ownership { until, ..held });
            return Acquired::Held { owner: other, until };
        }
        let micros = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000);
        let epoch = Epoch(last.as_ref().map_or(micros, |last| micros.max(last.epoch.0 + 1)));
        let published_until = last.as_ref().map_or(Timestamp::default(), |last| last.published_until);
        let previous = last.map(|last| (last.epoch, last.seq));
        partition.ownership = Some(Ownership {
            owner: Some(owner),
            until,
            epoch,
            seq: Seq(0),
            published_until,
            duplicates: Vec::new(),
        });
        Acquired::Owned { epoch, previous, published_until }
    }

    pub(crate) fn renew(
        &mut self,
        id: PartitionId,
        epoch: Epoch,
        until: Timestamp,
        published_until: Timestamp,
    ) -> Option<Seq> {
        let partition = self.partition(id);
        match &mut partition.ownership {
            Some(held) if held.epoch == epoch && held.owner.is_some() => {
                held.until = until;
                held.published_until = published_until.max(held.published_until);
                let seq = held.seq;
                partition.drop_letters(published_until);
                Some(seq)
            }
            _ => None,
        }
    }

    pub(crate) fn holder(&self, id: PartitionId) -> Option<(ProducerId, Timestamp)> {
        let held = self.partitions.get(&id)?.ownership.as_ref()?;
        Some((held.owner?, held.until))
    }

    pub(crate) fn release(&mut self, id: PartitionId, epoch: Epoch) {
        if let Some(held) = &mut self.partition(id).ownership
            && held.epoch == epoch
        {
            held.owner = None;
        }
    }

    /// Is `epoch` the one that holds a partition?
    pub(super) fn holds(&self, id: PartitionId, epoch: Epoch) -> bool {
        let ownership = self.partitions.get(&id).and_then(|partition| partition.ownership.as_ref());
        ownership.is_some_and(|held| held.epoch == epoch || !self.guards.fence)
    }

    pub(crate) fn commit(&mut self, commit: &Commit) -> Verdict {
        let fence = self.guards.fence;
        let Some(held) = &self.partition(commit.partition).ownership else {
            return Verdict::Fenced { epoch: Epoch::default(), seq: Seq::default() };
        };
        let (epoch, seq) = (held.epoch, held.seq);
        if commit.epoch == epoch && commit.seq == seq && seq != Seq::default() {
            return Verdict::Applied { duplicates: held.duplicates.clone() };
        }
        if fence && (commit.epoch != epoch || commit.seq != seq.next()) {
            return Verdict::Fenced { epoch, seq };
        }
        let mut duplicates = Vec::new();
        for delta in &commit.runs {
            if !self.apply(commit.partition, delta) {
                duplicates.push(delta.run);
            } else if self.runs.contains_key(&delta.run) {
                self.partition(commit.partition).send(commit, &delta.letters);
                self.partition(commit.partition).change_rows(&delta.tables);
            }
        }
        let partition = self.partition(commit.partition);
        partition.send(commit, &commit.letters);
        partition.change_rows(&commit.tables);
        for delta in &commit.workflows {
            partition.catalog.apply(delta);
        }
        partition.change_timers(&commit.timers, &commit.cleared);
        if let Some(held) = &mut partition.ownership
            && commit.epoch == epoch
        {
            held.seq = commit.seq;
            held.published_until = commit.published_until;
            held.duplicates.clone_from(&duplicates);
        }
        Verdict::Applied { duplicates }
    }

    pub(crate) fn timers(
        &self,
        id: PartitionId,
        after: Option<&(Timestamp, Timer)>,
        limit: usize,
    ) -> Vec<(Timestamp, Timer)> {
        let Some(partition) = self.partitions.get(&id) else { return Vec::new() };
        let key = |due: Timestamp, timer: &Timer| (due, timer.to_string());
        let after = after.map(|(due, timer)| key(*due, timer));
        let mut timers: Vec<_> =
            partition.timers.iter().map(|(timer, due)| (key(*due, timer), timer.clone())).collect();
        timers.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        timers.sort();
        timers.into_iter().take(limit).map(|((due, _), timer)| (due, timer)).collect()
    }

    pub(crate) fn watched(
        &self,
        id: PartitionId,
        looks: &RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Vec<(Timestamp, TaskId)> {
        let Some(partition) = self.partitions.get(&id) else { return Vec::new() };
        let found = partition.watch.iter().filter(|(at, _)| looks.contains(at));
        found.skip(skip).take(limit).copied().collect()
    }

    pub(crate) fn set_looks(
        &mut self,
        id: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) {
        if !self.holds(id, epoch) {
            return;
        }
        for (at, task) in looks.iter().filter(|(_, task)| task.run.partition() == id) {
            if self.attempt(*task).is_some_and(|attempt| attempt.look_at <= due || attempt.look_at > *at) {
                self.look(*task, *at);
            }
        }
    }

    pub(crate) fn renew_session(&mut self, session: &Session, now: Timestamp) {
        let oldest = Timestamp::from_millis(now.as_millis().saturating_sub_unsigned(FORGET_AFTER_MS));
        self.sessions.retain(|_, (renewed, _)| *renewed >= oldest);
        self.sessions.insert(session.id, (now, session.clone()));
        self.sessions.values_mut().for_each(|(renewed, _)| *renewed = now.min(*renewed));
    }

    pub(crate) fn pause_pool(&mut self, paused: &PausedPool) -> bool {
        let is_new = !self.paused_pools.contains_key(&paused.pool);
        self.paused_pools.entry(paused.pool.clone()).or_insert_with(|| paused.clone());
        is_new
    }

    pub(crate) fn sessions(&self, now: Timestamp) -> Vec<Session> {
        let oldest = Timestamp::from_millis(now.as_millis().saturating_sub_unsigned(FORGET_AFTER_MS));
        let fresh = self.sessions.values().filter(|(renewed, _)| *renewed >= oldest);
        let silent_ms = |renewed: Timestamp| u64::try_from(now.as_millis() - renewed.as_millis()).ok();
        fresh
            .map(|(renewed, session)| Session { silent_ms: silent_ms(*renewed), ..session.clone() })
            .collect()
    }

    pub(crate) fn end_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    pub(crate) fn catalog(&self, home: PartitionId) -> Option<&Catalog> {
        self.partitions.get(&home).map(|partition| &partition.catalog)
    }

    /// Sets a timer that only a newer version knows.
    pub(crate) fn set_unknown(&mut self, id: PartitionId, due: Timestamp, text: &str) {
        self.partition(id).timers.insert(Timer::Unknown(text.to_owned()), due);
    }

    /// The timers that only a newer version knows.
    pub(crate) fn unknown_timers(&self) -> BTreeSet<String> {
        let timers = self.partitions.values().flat_map(|partition| partition.timers.keys());
        let texts = timers.filter_map(|timer| match timer {
            Timer::Unknown(text) => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    /// Finds what is left of work: attempts that somebody watches, and timers that belong to a run.
    pub(crate) fn left_over(&self) -> Option<String> {
        self.partitions.iter().find_map(|(id, partition)| {
            let attempt = partition.watch.first().map(|(at, task)| format!("attempt {task}, looked at {at}"));
            let timer = partition.timers.keys().find(|timer| timer.run().is_some());
            let left = attempt.or_else(|| timer.map(|timer| format!("timer {timer}")))?;
            Some(format!("partition {id} still has {left}"))
        })
    }

    /// The next fire of a schedule, as its timer says.
    pub(crate) fn fire_of(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        trigger: TriggerId,
    ) -> Option<Timestamp> {
        self.partitions.get(&home)?.timers.get(&Timer::Fire(workflow.clone(), trigger)).copied()
    }
}

impl Partition {
    /// Clears timers, then sets others: one that is in both is set.
    pub(super) fn change_timers(&mut self, set: &[(Timestamp, Timer)], cleared: &[Timer]) {
        for timer in cleared {
            self.timers.remove(timer);
        }
        for (due, timer) in set {
            self.timers.insert(timer.clone(), *due);
        }
    }
}
