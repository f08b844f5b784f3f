//! The names of locks, of the slots of workflows and of rates, and the groups that they are in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{IdError, Namespace, PartitionId, WorkflowId};

/// The most bytes of each part of a name.
const MAX_PART: usize = 128;

/// What the name of the slots of a workflow begins with, and that of no lock.
const SLOTS: char = '@';

/// What the name of a rate begins with, and that of no lock.
const RATE: char = '+';

/// The name of a lock: `<group>/<lock>`, or one word, which is a group of its own. That of the slots which the runs of a workflow
/// have is `@<workflow>`, or `@<workflow>:<key>`; that of a rate is `+<name>`, or `+<name>:<key>`.
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

    /// The pattern of the names that people give to rates, which each matches as a whole.
    pub const RATE_PATTERN: &'static str = "[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}";

    /// The name of the slots of a workflow, or of those of its runs with a key.
    ///
    /// # Errors
    /// When the key is too long, or has control characters, such as line breaks.
    pub fn of_slots(workflow: &WorkflowId, key: Option<&str>) -> Result<Self, IdError> {
        Self::with_key(SLOTS, workflow, key)
    }

    /// The name of a rate, or of what it allows for a key. Each of these has a home of its own.
    ///
    /// # Errors
    /// When the name is none, or the key is too long or has control characters, such as line breaks.
    pub fn of_rate(name: &str, key: Option<&str>) -> Result<Self, IdError> {
        // That of a step is `<workflow>/<step>`.
        if !name.split('/').all(is_part) || name.contains(':') {
            let shown: String = name.chars().take(70).collect();
            return Err(IdError(format!("the name of a rate, {shown:?}, must match {}", Self::RATE_PATTERN)));
        }
        Self::with_key(RATE, name, key)
    }

    fn with_key(of: char, name: impl fmt::Display, key: Option<&str>) -> Result<Self, IdError> {
        let Some(key) = key else { return Ok(Self(format!("{of}{name}").into())) };
        if key.len() > MAX_PART {
            return Err(IdError(format!("a key of {} bytes: expected at most {MAX_PART}", key.len())));
        }
        if key.chars().any(char::is_control) {
            return Err(IdError(format!("key {key:?} has control characters, such as line breaks")));
        }
        Ok(Self(format!("{of}{name}:{key}").into()))
    }

    /// The name of a lock, which is not that of slots.
    ///
    /// # Errors
    /// When the text is no such name: what was expected.
    pub fn of_lock(text: &str) -> Result<Self, IdError> {
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

    /// The workflow whose slots these are, as text, and the key of the runs; `None` for a lock.
    pub fn slots(&self) -> Option<(&str, Option<&str>)> {
        let text = self.0.strip_prefix(SLOTS)?;
        Some(text.split_once(':').map_or((text, None), |(workflow, key)| (workflow, Some(key))))
    }

    /// The name that people know a rate by, and the key; `None` for what is no rate.
    pub fn rate(&self) -> Option<(&str, Option<&str>)> {
        let text = self.0.strip_prefix(RATE)?;
        Some(text.split_once(':').map_or((text, None), |(name, key)| (name, Some(key))))
    }

    /// The key of the runs that have such slots, or of a rate, in words: `key eu`, or `key ""` for an empty one.
    pub(crate) fn key_in_words(&self) -> Option<String> {
        let (_, key) = self.slots().or_else(|| self.rate())?;
        key.map(|key| if key.is_empty() { "key \"\"".to_owned() } else { format!("key {key}") })
    }

    /// What it is, in words: `lock db/primary`, `a slot of nightly (key eu)`, `rate openai`.
    pub fn in_words(&self) -> String {
        let what = match (self.slots(), self.rate()) {
            (Some((workflow, _)), _) => format!("a slot of {workflow}"),
            (_, Some((name, _))) => format!("rate {name}"),
            (None, None) => return format!("lock {self}"),
        };
        match self.key_in_words() {
            None => what,
            Some(key) => format!("{what} ({key})"),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the group that it is in: that of slots is the workflow, and a rate is one of its own for each key.
    pub fn group_name(&self) -> &str {
        if let Some((workflow, _)) = self.slots() {
            return workflow;
        }
        if self.rate().is_some() {
            return &self.0;
        }
        self.0.split_once('/').map_or(&*self.0, |(group, _)| group)
    }

    /// The group that it is in.
    pub fn group(&self) -> LockGroup {
        let group = self.group_name();
        match self.slots().and_then(|_| group.parse::<WorkflowId>().ok()) {
            // The slots of a workflow are at home where the workflow is.
            Some(workflow) => LockGroup::of(&workflow.in_full()),
            None => LockGroup::of(&format!("lock {}/{group}", Namespace::DEFAULT)),
        }
    }
}

/// Whether a text is a part of a name.
fn is_part(part: &str) -> bool {
    let first = part.chars().next();
    part.len() <= MAX_PART
        && first.is_some_and(|c| c.is_ascii_alphanumeric())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.:@-".contains(c))
}

impl LockGroup {
    fn of(text: &str) -> Self {
        let digest = Sha256::digest(text);
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
        if let Some(rate) = text.strip_prefix(RATE) {
            let (name, key) = rate.split_once(':').map_or((rate, None), |(name, key)| (name, Some(key)));
            return Self::of_rate(name, key);
        }
        let Some(slots) = text.strip_prefix(SLOTS) else { return Self::of_lock(text) };
        let (workflow, key) = slots.split_once(':').map_or((slots, None), |(name, key)| (name, Some(key)));
        Self::of_slots(&workflow.parse()?, key)
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
    fn the_slots_of_a_workflow_have_names_that_no_lock_has_and_their_home_is_that_of_the_workflow() {
        let workflow: WorkflowId = "nightly".parse().unwrap();
        let all = LockName::of_slots(&workflow, None).unwrap();
        let keyed = LockName::of_slots(&workflow, Some("eu: west/1 ä")).unwrap();
        assert_eq!(
            (all.slots(), keyed.slots()),
            (Some(("nightly", None)), Some(("nightly", Some("eu: west/1 ä"))))
        );
        for name in [&all, &keyed] {
            assert_eq!(name.as_str().parse(), Ok(name.clone()));
            assert_eq!(name.group().home(64), PartitionId::home_of(&workflow, 64));
        }
        assert_eq!("nightly".parse::<LockName>().unwrap().slots(), None);
        for bad in ["@", "@No", "@nightly/", "@nightly:a\nb", &format!("@nightly:{}", "x".repeat(129))] {
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
