//! What a unit holds of locks and of a rate, or has asked for.

use serde::{Deserialize, Serialize};

use crate::lock::{LockGroup, TOKENS, Used};

/// The field of a unit's record that says what it holds.
pub(super) const HOLD: &str = "hold";

/// What a unit holds of locks or of a rate, or has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The attempt for which it was asked. Those that follow it because it was lost go on with locks.
    pub attempt: u32,
    /// The group of the locks, or that of the rate.
    pub group: LockGroup,
    /// The fencing token of the grant; `None` while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// The reserve of a rate; `None` of locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    /// What was used of the reserve, once that is known: it is given back in the same advance.
    #[serde(skip)]
    pub used: Option<Used>,
}

/// What a unit holds, or has asked for: of locks, and then of a rate. At most one of these waits for its grant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Its locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locks: Option<Hold>,
    /// Its reserve of a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Hold>,
}

impl Holds {
    /// All that it holds or has asked for.
    pub fn all(&self) -> impl Iterator<Item = &Hold> {
        self.locks.iter().chain(&self.rate)
    }

    /// What it waits for.
    pub fn awaited(&self) -> Option<&Hold> {
        self.all().find(|hold| hold.token.is_none())
    }

    pub(super) fn awaited_mut(&mut self) -> Option<&mut Hold> {
        self.locks.iter_mut().chain(&mut self.rate).find(|hold| hold.token.is_none())
    }

    /// The place of what has its home with a group.
    pub(super) fn of_group(&mut self, group: LockGroup) -> Option<&mut Option<Hold>> {
        let is_it = |hold: &Option<Hold>| hold.is_some_and(|hold| hold.group == group);
        [&mut self.locks, &mut self.rate].into_iter().find(|hold| is_it(hold))
    }

    /// Notes what was asked for.
    pub(super) fn note(&mut self, hold: Hold) {
        let place = if hold.cost.is_some() { &mut self.rate } else { &mut self.locks };
        *place = Some(hold);
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl Hold {
    /// What was asked for and is not granted yet.
    pub(super) fn asked(attempt: u32, group: LockGroup, cost: Option<u32>) -> Self {
        Self { attempt, group, token: None, cost, used: None }
    }

    /// The fencing token of an attempt: it rises from one that was lost to the next, which goes on with the same grant.
    pub fn token_of(&self, attempt: u32) -> Option<u64> {
        let after = u64::from(attempt.saturating_sub(self.attempt));
        Some(self.token? + after.min(TOKENS - 1))
    }
}
