//! Every identifier of the system, typed, in one place.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The error of a text that is not the identifier it should be. The message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

/// Declares the type of a validated name: `[first][rest]{0,63}`.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $first:expr, $rest:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let first: fn(char) -> bool = $first;
                let rest: fn(char) -> bool = $rest;
                let mut chars = text.chars();
                let valid = text.len() <= 64 && chars.next().is_some_and(first) && chars.all(rest);
                if valid {
                    Ok(Self(text.into()))
                } else {
                    let shown: String = text.chars().take(70).collect();
                    let hint = if $expected.contains("_-") || !shown.contains('-') {
                        String::new()
                    } else {
                        format!("; use _ instead of -: {:?}", shown.replace('-', "_"))
                    };
                    Err(IdError(format!("{} {shown:?} must match {}{hint}", $what, $expected)))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

name_type!(
    /// The name of a workflow, unique in its namespace.
    WorkflowName, "workflow name", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);
name_type!(
    /// The name of a step. It is used in expressions, hence no hyphen.
    StepName, "step name", |c| c.is_ascii_lowercase(), |c| lower_or_digit(c) || c == '_', "[a-z][a-z0-9_]{0,63}"
);
name_type!(
    /// The name of a parameter. It becomes an environment variable and is used in expressions.
    ParamName, "param name", |c| c.is_ascii_lowercase(), |c| lower_or_digit(c) || c == '_', "[a-z][a-z0-9_]{0,63}"
);
name_type!(
    /// The name of a pool: the queues of that name and the workers that serve them.
    PoolName, "pool name", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);

impl WorkflowName {
    /// The name that ad-hoc runs carry in place of a stored workflow's (also the metrics label).
    pub fn adhoc() -> Self {
        Self("adhoc".into())
    }

    /// Whether the name reads as a run's id. Where either is taken, the run would be meant, and never the workflow.
    pub fn is_like_run_id(&self) -> bool {
        self.0.parse::<RunId>().is_ok()
    }
}

impl Default for PoolName {
    fn default() -> Self {
        Self("default".into())
    }
}

/// A partition: the unit of ownership. Every run and schedule lives in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The home partition of a workflow: where its schedules and versions live.
    pub fn home_of(workflow: &WorkflowName, partitions: u16) -> Self {
        Self::of_digest(&Sha256::digest(format!("default/{workflow}")), partitions)
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

/// The id of a run, which is one execution of one workflow version: a UUID whose last two bytes are the partition, so
/// that anybody who holds the id knows where the run lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// A fresh id of a run in `partition`. `random` is any unique UUID (version 7 keeps ids in order of creation).
    pub fn new(random: Uuid, partition: PartitionId) -> Self {
        let mut bytes = *random.as_bytes();
        bytes[14..].copy_from_slice(&partition.0.to_be_bytes());
        Self(Uuid::from_bytes(bytes))
    }

    /// The id of a keyed submission's run: the same key always gives the same id, so the run itself is the record of
    /// deduplication. `scope` is the workflow's name, or `adhoc`.
    pub fn of_key(scope: &WorkflowName, key: &str, partitions: u16) -> Self {
        let digest = Sha256::digest(format!("default/{scope}/{key}"));
        Self::of_digest(&digest, PartitionId::of_digest(&digest, partitions))
    }

    /// The id of a scheduled run: the same fire always gives the same id. The run lives in its workflow's home.
    pub fn of_fire(
        workflow: &WorkflowName,
        schedule: usize,
        due: crate::Timestamp,
        home: PartitionId,
    ) -> Self {
        let digest = Sha256::digest(format!("default/{workflow}/fire/{schedule}/{}", due.as_millis()));
        Self::of_digest(&digest, home)
    }

    fn of_digest(digest: &[u8], partition: PartitionId) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[8..24]);
        Self::new(uuid::Builder::from_custom_bytes(bytes).into_uuid(), partition)
    }

    /// The partition in which this run lives.
    pub fn partition(self) -> PartitionId {
        let bytes = self.0.as_bytes();
        PartitionId(u16::from_be_bytes([bytes[14], bytes[15]]))
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
    fn the_same_key_gives_the_same_run_and_another_scope_gives_another() {
        let daily: WorkflowName = "daily".parse().unwrap();
        let one = RunId::of_key(&daily, "k", 64);
        assert_eq!(one, RunId::of_key(&daily, "k", 64));
        assert_ne!(one, RunId::of_key(&WorkflowName::adhoc(), "k", 64));
        assert!(one.partition().0 < 64);
    }

    #[test]
    fn a_hyphen_in_a_step_name_is_answered_with_use_underscore() {
        let error = "load-data".parse::<StepName>().unwrap_err().to_string();
        assert!(error.contains("use _") && error.contains("load_data"), "{error}");
        assert!("daily-sales".parse::<WorkflowName>().is_ok());
        assert!("".parse::<StepName>().is_err());
        assert!("a".repeat(65).parse::<WorkflowName>().is_err());
    }
}
