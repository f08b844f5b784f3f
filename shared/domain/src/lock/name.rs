//! The names of locks, and the groups that they are in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{IdError, Namespace, PartitionId};

/// The most bytes of each part of a name.
const MAX_PART: usize = 128;

/// The name of a lock: `<group>/<lock>`, or one word, which is a group of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockName(Arc<str>);

/// A group of locks, by the digest of its name. It tells where the locks of the group are at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockGroup(u64);

impl LockName {
    /// The pattern of such names, which each matches as a whole.
    pub const PATTERN: &'static str =
        "[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}(/[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127})?";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the group that it is in.
    pub fn group_name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(group, _)| group)
    }

    /// The group that it is in.
    pub fn group(&self) -> LockGroup {
        LockGroup::of(self.group_name())
    }
}

impl LockGroup {
    fn of(group: &str) -> Self {
        let digest = Sha256::digest(format!("lock {}/{group}", Namespace::DEFAULT));
        let mut word = [0; 8];
        word.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(word))
    }

    /// The partition where its locks are at home.
    pub fn home(self, partitions: u16) -> PartitionId {
        PartitionId((self.0 % u64::from(partitions.max(1))) as u16)
    }
}

impl FromStr for LockName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_.:@-".contains(c);
        let is_part = |part: &str| {
            let first = part.chars().next();
            part.len() <= MAX_PART
                && first.is_some_and(|c| c.is_ascii_alphanumeric())
                && part.chars().all(is_word)
        };
        let is_name = match text.split_once('/') {
            Some((group, lock)) => is_part(group) && is_part(lock),
            None => is_part(text),
        };
        if is_name {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(70).collect();
        Err(IdError(format!("lock name {shown:?} must match {}", Self::PATTERN)))
    }
}

impl TryFrom<String> for LockName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LockName> for String {
    fn from(name: LockName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_group_or_is_one() {
        let group = |text: &str| text.parse::<LockName>().unwrap().group_name().to_owned();
        assert_eq!((group("db/primary"), group("primary_db")), ("db".into(), "primary_db".into()));
        for bad in ["", "/", "db/", "/db", "a/b/c", "a b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<LockName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn locks_of_a_group_have_one_home_in_clusters_of_any_size() {
        let group = |text: &str| text.parse::<LockName>().unwrap().group();
        assert_eq!(group("db/primary"), group("db/replica"));
        assert_ne!(group("db/primary"), group("other/primary"));
        for partitions in [1, 8, 1024] {
            assert!(group("db").home(partitions).0 < partitions);
        }
    }
}
