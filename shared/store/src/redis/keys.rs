//! Every key there is. Those of a partition share the hash tag `{p<N>}`, and so a slot.

use millrace_domain::{PartitionId, RunId, StepIndex, TaskId, Unit, WorkflowId};

use crate::Table;

/// The kinds of keys that a run owns beside its own, each `<kind>:<run>`: they go with it when it is forgotten. A new
/// kind needs its line here, and nothing else.
const OWNED_BY_RUN: [&str; 3] = [LOG, ITEMS, HISTORY];

const RUN: &str = "run";
const LOG: &str = "log";
const ITEMS: &str = "items";
const HISTORY: &str = "history";

/// The names of keys under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys under this prefix.
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: PartitionId, name: &str) -> String {
        format!("{}:{{{partition}}}:{name}", self.prefix)
    }

    /// The key that is written when replicas are waited for, and never read.
    pub(super) fn mark(&self) -> String {
        format!("{}:mark", self.prefix)
    }

    // -- of a partition ----------------------------------------------------------------------------------

    /// The ownership of a partition, a hash: who owns it (`owner`, `until`), its `epoch` and `seq`,
    /// `published_until`, `last`, what to answer when the last commit is sent again, and `ends`, where the last
    /// epochs ended.
    pub(super) fn own(&self, partition: PartitionId) -> String {
        self.of(partition, "own")
    }

    /// The watch, a sorted set: dispatched attempts by when to look next (ms).
    pub(super) fn watch(&self, partition: PartitionId) -> String {
        self.of(partition, "watch")
    }

    /// The timers, a sorted set by when they are due (ms).
    pub(super) fn timers(&self, partition: PartitionId) -> String {
        self.of(partition, "timers")
    }

    /// The letters, a sorted set by when they were sent (ms). See `letter` for its members.
    pub(super) fn letters(&self, partition: PartitionId) -> String {
        self.of(partition, "letters")
    }

    /// A table, a hash of its rows.
    pub(super) fn table(&self, partition: PartitionId, table: Table) -> String {
        self.of(partition, &format!("table:{}", table.0))
    }

    /// The runs, a sorted set by when they were created (ms). See [`Keys::listed`] for its members.
    pub(super) fn runs(&self, partition: PartitionId) -> String {
        self.of(partition, "runs")
    }

    /// The runs of one stored workflow, a sorted set as [`Keys::runs`] is. Ad-hoc runs have no such list: there, a
    /// second entry per run would be paid for by every task.
    pub(super) fn runs_of(&self, partition: PartitionId, workflow: &str) -> String {
        self.of(partition, &format!("runs:{workflow}"))
    }

    /// The ended runs, a sorted set by when they may be forgotten (ms).
    pub(super) fn ended(&self, partition: PartitionId) -> String {
        self.of(partition, "ended")
    }

    /// The ended keyed runs that must stay, a sorted set by until when (ms); members `<may be forgotten>|<run>`.
    pub(super) fn pinned(&self, partition: PartitionId) -> String {
        self.of(partition, "pinned")
    }

    /// A workflow, a hash: `head`, `current`, and the source of each version as `v<n>`.
    pub(super) fn workflow(&self, home: PartitionId, workflow: &WorkflowId) -> String {
        self.of(home, &format!("workflow:{workflow}"))
    }

    /// The workflows that are listed, a set.
    pub(super) fn workflows(&self, home: PartitionId) -> String {
        self.of(home, "workflows")
    }

    /// A run, a hash: `head`, `def`, `w` (its workflow, unless ad hoc), `k` (when created, if keyed), `s<unit>`
    /// records of units, and the current attempts under [`Keys::attempt`].
    pub(super) fn run(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("{RUN}:{run}"))
    }

    /// The keys of a call about attempts: the first one, then that of the run of each.
    pub(super) fn with_runs(&self, first: String, tasks: impl Iterator<Item = TaskId>) -> Vec<String> {
        std::iter::once(first).chain(tasks.map(|task| self.run(task.run))).collect()
    }

    /// The log of a run, a hash: what its tasks wrote.
    pub(super) fn log(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("{LOG}:{run}"))
    }

    /// What is kept apart from a run, a hash: the end of each item that has ended as `<step>.<item>`, and as `l<step>` the
    /// list over which a step fans out, or the large outputs of one that does not.
    pub(super) fn items(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("{ITEMS}:{run}"))
    }

    /// The history of a run, a sorted set: its entries, by the numbers of their advances.
    pub(super) fn history(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("{HISTORY}:{run}"))
    }

    /// The prefixes of the keys that a run owns: what comes before its id in [`Keys::run`], which is the first, and in
    /// all others.
    pub(super) fn of_runs(&self, partition: PartitionId) -> Vec<String> {
        let kinds = [RUN].into_iter().chain(OWNED_BY_RUN);
        kinds.map(|kind| self.of(partition, &format!("{kind}:"))).collect()
    }

    /// The prefix of lists by workflow: what comes before its name in [`Keys::runs_of`].
    pub(super) fn lists(&self, partition: PartitionId) -> String {
        self.of(partition, "runs:")
    }

    // -- of the cluster ----------------------------------------------------------------------------------

    /// The cluster, a hash: what is fixed when it is founded (`id`, `partitions`, `queues`, `format`), and `since`
    /// when the store holds it (µs).
    pub(super) fn meta(&self) -> String {
        format!("{}:meta", self.prefix)
    }

    /// The producers, a sorted set by until when they are here (ms).
    pub(super) fn producers(&self) -> String {
        format!("{}:producers", self.prefix)
    }

    /// The sessions, a hash of JSON.
    pub(super) fn sessions(&self) -> String {
        format!("{}:{{sessions}}:known", self.prefix)
    }

    /// The pools that somebody has paused, a hash of JSON by their names. A worker is told them when it renews its session, and
    /// so they are where the sessions are.
    pub(super) fn paused_pools(&self) -> String {
        format!("{}:{{sessions}}:paused-pools", self.prefix)
    }

    /// The renewals of sessions, a sorted set by when they were renewed (ms).
    pub(super) fn sessions_renewed(&self) -> String {
        format!("{}:{{sessions}}:renewed", self.prefix)
    }

    // -- names inside of keys ----------------------------------------------------------------------------

    /// The field of an attempt in its run's hash. The attempt is part of the name, so that another one is
    /// simply not there.
    pub(super) fn attempt(unit: Unit, attempt: u32) -> String {
        format!("t{unit}:{attempt}")
    }

    /// The field of a unit's record in its run's hash.
    pub(super) fn record(unit: Unit) -> String {
        format!("s{unit}")
    }

    /// The field of what a step keeps apart from its run, in the hash of its run's items.
    pub(super) fn apart(step: StepIndex) -> String {
        format!("l{}", step.0)
    }

    /// The member of a run in [`Keys::runs`]: `<run>`, and `|<workflow>` unless it is ad hoc.
    pub(super) fn listed(run: RunId, workflow: &WorkflowId) -> String {
        if *workflow == WorkflowId::adhoc() { run.to_string() } else { format!("{run}|{workflow}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_partition_share_its_tag() {
        let keys = Keys::new("tenant");
        let p = PartitionId(3);
        let run = RunId::of_key(&WorkflowId::adhoc(), "k", 1);
        let tag = |key: &str| key.split_once('{').unwrap().1.split_once('}').unwrap().0.to_owned();
        let workflow = WorkflowId::adhoc();
        for key in [
            keys.own(p),
            keys.watch(p),
            keys.timers(p),
            keys.letters(p),
            keys.table(p, Table("locks")),
            keys.runs(p),
            keys.runs_of(p, "w"),
            keys.ended(p),
            keys.pinned(p),
            keys.workflow(p, &workflow),
            keys.workflows(p),
        ] {
            assert_eq!(tag(&key), "p3", "{key}");
            assert!(key.starts_with("tenant:"));
        }
        for key in [keys.run(run), keys.log(run), keys.items(run), keys.history(run)] {
            assert_eq!(tag(&key), "p0", "{key}");
        }
        let owned = keys.of_runs(run.partition()).into_iter().map(|prefix| format!("{prefix}{run}"));
        let named = [keys.run(run), keys.log(run), keys.items(run), keys.history(run)];
        assert_eq!(owned.collect::<Vec<_>>(), named);
        assert_eq!(keys.runs_of(p, "w"), format!("{}w", keys.lists(p)));
    }
}
