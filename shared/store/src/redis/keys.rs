//! Every key there is. Those of a partition share the hash tag `{p<N>}`, and so a slot.

use millrace_domain::{PartitionId, RunId, StepIndex, WorkflowName};

/// Names of keys under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: PartitionId, name: &str) -> String {
        format!("{}:{{{partition}}}:{name}", self.prefix)
    }

    /// Written when replicas are waited for, and never read.
    pub(super) fn mark(&self) -> String {
        format!("{}:mark", self.prefix)
    }

    // -- of a partition ----------------------------------------------------------------------------------

    /// Hash: who owns it (`owner`, `until`), its `epoch` and `seq`, `published_until`, `last`, what to
    /// answer when the last commit is sent again, and `ends`, where the last epochs ended.
    pub(super) fn own(&self, partition: PartitionId) -> String {
        self.of(partition, "own")
    }

    /// Sorted set: dispatched attempts by when to look next (ms).
    pub(super) fn watch(&self, partition: PartitionId) -> String {
        self.of(partition, "watch")
    }

    /// Sorted set: timers by when they are due (ms).
    pub(super) fn timers(&self, partition: PartitionId) -> String {
        self.of(partition, "timers")
    }

    /// Sorted set: runs by when they were created (ms). See [`Keys::listed`] for its members.
    pub(super) fn runs(&self, partition: PartitionId) -> String {
        self.of(partition, "runs")
    }

    /// The same for the runs of one stored workflow. Ad-hoc runs have no such list: there, a second entry per
    /// run would be paid for by every task.
    pub(super) fn runs_of(&self, partition: PartitionId, workflow: &str) -> String {
        self.of(partition, &format!("runs:{workflow}"))
    }

    /// Sorted set: ended runs by when they may be forgotten (ms).
    pub(super) fn ended(&self, partition: PartitionId) -> String {
        self.of(partition, "ended")
    }

    /// Sorted set: ended keyed runs that must stay, by until when (ms); members `<may be forgotten>|<run>`.
    pub(super) fn pinned(&self, partition: PartitionId) -> String {
        self.of(partition, "pinned")
    }

    /// Hash of a workflow: `head`, `current`, and the source of each version as `v<n>`.
    pub(super) fn workflow(&self, home: PartitionId, workflow: &WorkflowName) -> String {
        self.of(home, &format!("workflow:{workflow}"))
    }

    /// Set: the workflows that are listed.
    pub(super) fn workflows(&self, home: PartitionId) -> String {
        self.of(home, "workflows")
    }

    /// Hash of a run: `head`, `def`, `w` (its workflow, unless ad hoc), `k` (when created, if keyed), `s<step>`
    /// records of steps, and the current attempts under [`Keys::attempt`].
    pub(super) fn run(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("run:{run}"))
    }

    /// Hash: what the tasks of a run wrote.
    pub(super) fn log(&self, run: RunId) -> String {
        self.of(run.partition(), &format!("log:{run}"))
    }

    /// What comes before a run's id in [`Keys::run`], before it in [`Keys::log`], before the workflow's name in
    /// [`Keys::runs_of`].
    pub(super) fn prefixes(&self, partition: PartitionId) -> [String; 3] {
        [self.of(partition, "run:"), self.of(partition, "log:"), self.of(partition, "runs:")]
    }

    // -- of the cluster ----------------------------------------------------------------------------------

    /// Hash: what is fixed when a cluster is founded (`id`, `partitions`, `queues`, `format`), and `since` when the
    /// store holds it (µs).
    pub(super) fn meta(&self) -> String {
        format!("{}:meta", self.prefix)
    }

    /// Sorted set: producers by until when they are here (ms).
    pub(super) fn producers(&self) -> String {
        format!("{}:producers", self.prefix)
    }

    /// Hash: sessions, as JSON.
    pub(super) fn sessions(&self) -> String {
        format!("{}:{{sessions}}:known", self.prefix)
    }

    /// Sorted set: sessions by when they were renewed (ms).
    pub(super) fn sessions_renewed(&self) -> String {
        format!("{}:{{sessions}}:renewed", self.prefix)
    }

    // -- names inside of keys ----------------------------------------------------------------------------

    /// The field of an attempt in its run's hash. The attempt is part of the name, so that another one is
    /// simply not there.
    pub(super) fn attempt(step: StepIndex, attempt: u32) -> String {
        format!("t{}:{attempt}", step.0)
    }

    /// The member of a run in [`Keys::runs`]: `<run>`, and `|<workflow>` unless it is ad hoc.
    pub(super) fn listed(run: RunId, workflow: &WorkflowName) -> String {
        if *workflow == WorkflowName::adhoc() { run.to_string() } else { format!("{run}|{workflow}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_partition_share_its_tag() {
        let keys = Keys::new("tenant");
        let p = PartitionId(3);
        let run = RunId::of_key(&WorkflowName::adhoc(), "k", 1);
        let tag = |key: &str| key.split_once('{').unwrap().1.split_once('}').unwrap().0.to_owned();
        for key in [keys.own(p), keys.watch(p), keys.runs(p), keys.runs_of(p, "w"), keys.pinned(p)] {
            assert_eq!(tag(&key), "p3", "{key}");
            assert!(key.starts_with("tenant:"));
        }
        for key in [keys.run(run), keys.log(run)] {
            assert_eq!(tag(&key), "p0", "{key}");
        }
        let [run_prefix, log_prefix, _] = keys.prefixes(run.partition());
        assert_eq!(keys.run(run), format!("{run_prefix}{run}"));
        assert_eq!(keys.log(run), format!("{log_prefix}{run}"));
    }
}
