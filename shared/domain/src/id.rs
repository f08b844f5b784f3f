//! Every identifier of the system, typed, in one place; [`crate::name`] has those that users choose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::name::{IdError, WorkflowId};

/// A partition: the unit of ownership. Every run and schedule lives in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The most partitions that a cluster can have: so many fit a run's id.
    pub const MOST: u16 = 1_024;

    /// The home partition of a workflow: where its schedules and versions live.
    pub fn home_of(workflow: &WorkflowId, partitions: u16) -> Self {
        Self::of_digest(&Sha256::digest(workflow.in_full()), partitions)
    }

    fn of_digest(digest: &[u8], partitions: u16) -> Self {
        let word = u64::from_be_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ]);
        Self((word % u64::from(partitions.max(1))) as u16)
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// The id of a run, which is one execution of one workflow version: a UUID whose last ten bits are the partition, so
/// that anybody who holds the id knows where the run lives. The six bits before them are the number of the cluster, which
/// is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// The bits of an id's last word that are the partition. There are 1,024 partitions at most.
    const PARTITION: u16 = PartitionId::MOST - 1;

    /// A fresh id of a run in `partition`. `random` is any unique UUID (version 7 keeps ids in order of creation).
    pub fn new(random: Uuid, partition: PartitionId) -> Self {
        let mut bytes = *random.as_bytes();
        bytes[14..].copy_from_slice(&(partition.0 & Self::PARTITION).to_be_bytes());
        Self(Uuid::from_bytes(bytes))
    }

    /// The id of a keyed submission's run: the same key always gives the same id, so the run itself is the record of
    /// deduplication. `scope` is the workflow's id, or that of ad-hoc runs.
    pub fn of_key(scope: &WorkflowId, key: &str, partitions: u16) -> Self {
        Self::of_text(&format!("{}/{key}", scope.in_full()), partitions)
    }

    /// The id of a scheduled run: the same fire always gives the same id. The run lives in its workflow's home.
    pub fn of_fire(
        workflow: &WorkflowId,
        schedule: TriggerId,
        due: crate::Timestamp,
        home: PartitionId,
    ) -> Self {
        let digest = Sha256::digest(format!("{}/fire/{schedule}/{}", workflow.in_full(), due.as_millis()));
        Self::of_digest(&digest, home)
    }

    /// The id of a continuation of this run, by its number: it lives in the same partition.
    pub fn continuation(self, n: u32) -> Self {
        Self::of_digest(&Sha256::digest(format!("{self}/continuation/{n}")), self.partition())
    }

    /// The id of a run that exactly one thing asks for, which this text names. The same text always gives the same id.
    pub(crate) fn of_text(text: &str, partitions: u16) -> Self {
        let digest = Sha256::digest(text);
        Self::of_digest(&digest, PartitionId::of_digest(&digest, partitions))
    }

    fn of_digest(digest: &[u8], partition: PartitionId) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[8..24]);
        Self::new(uuid::Builder::from_custom_bytes(bytes).into_uuid(), partition)
    }

    /// The partition in which this run lives.
    pub fn partition(self) -> PartitionId {
        PartitionId(self.last_word() & Self::PARTITION)
    }

    /// The number of the cluster whose run this is. It is 0 of every run that this version starts.
    pub fn cluster(self) -> u8 {
        (self.last_word() / PartitionId::MOST) as u8
    }

    fn last_word(self) -> u16 {
        let bytes = self.0.as_bytes();
        u16::from_be_bytes([bytes[14], bytes[15]])
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdError(format!("{text:?} is not a run id (a UUID)")))
    }
}

/// The id of what starts runs of a workflow by itself, such as a schedule: a number that it keeps when the list in which it
/// is written is put in another order, and that no other trigger of the workflow gets after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TriggerId(pub u32);

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TriggerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_| IdError(format!("{text:?} is not the number of a trigger")))
    }
}

/// The place of a step in its definition, from 0. It is stable for a version, so it is what travels and is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub u32);

impl StepIndex {
    /// The place as an index into the steps of the definition.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl From<usize> for StepIndex {
    fn from(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// The id of a session: a worker's presence, new for every start of a worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

/// The id of a producer process, new for every start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProducerId(pub Uuid);

/// The id of a cluster: what producers, workers, store and broker are together. It is new when the cluster is
/// founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub Uuid);

impl ClusterId {
    /// The id of a cluster that nobody has given one: an older program has founded it.
    pub const UNKNOWN: Self = Self(Uuid::nil());
}

/// The token of one delivery, under which an attempt is claimed. The same token asked again gets the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimToken(pub Uuid);

macro_rules! uuid_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError(format!("{text:?} is not a UUID")))
            }
        }
    )*};
}
uuid_text!(SessionId, ProducerId, ClusterId, ClaimToken);

/// The fencing number of an ownership of a partition. It only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// The number of a commit within an epoch, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number of the next commit.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_carries_its_partition() {
        let id = RunId::new(Uuid::new_v4(), PartitionId(513));
        assert_eq!(id.partition(), PartitionId(513));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
    }

    #[test]
    fn an_id_of_another_cluster_still_names_its_partition() {
        let id: RunId = "0192f3c1-7a7b-7000-8000-0000000e8601".parse().unwrap();
        assert_eq!((id.partition(), id.cluster()), (PartitionId(513), 33));
        let own = RunId::new(Uuid::max(), PartitionId(1_023));
        assert_eq!((own.partition(), own.cluster()), (PartitionId(1_023), 0));
    }

    #[test]
    fn workflows_of_one_name_in_two_namespaces_share_neither_keys_nor_fires() {
        let ids: Vec<WorkflowId> = ["daily", "a/daily", "b/daily"].map(|id| id.parse().unwrap()).into();
        let home = PartitionId(7);
        let runs: std::collections::BTreeSet<RunId> = ids
            .iter()
            .flat_map(|id| {
                [
                    RunId::of_key(id, "k", 64),
                    RunId::of_fire(id, TriggerId(0), crate::Timestamp::from_millis(5), home),
                ]
            })
            .collect();
        assert_eq!(runs.len(), 6);
    }

    #[test]
    fn the_same_key_gives_the_same_run_and_another_scope_gives_another() {
        let daily: WorkflowId = "daily".parse().unwrap();
        let one = RunId::of_key(&daily, "k", 64);
        assert_eq!(one, RunId::of_key(&daily, "k", 64));
        assert_ne!(one, RunId::of_key(&WorkflowId::adhoc(), "k", 64));
        assert!(one.partition().0 < 64);
    }
}
