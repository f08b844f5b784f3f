//! What is to be done after a board has changed.

use super::{Asker, Holder, LockName};
use crate::Outcome;

/// What is to be done after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The row of this holder is to be written down as it is now.
    Put(Holder),
    /// The row of this holder is gone.
    Delete(Holder),
    /// What was used of this rate is to be written down as it is now.
    PutRate(LockName),
    /// All of this rate has come back: its row is gone.
    DeleteRate(LockName),
    /// Whoever asked is told that it holds what it asked for.
    Grant {
        /// Who asked.
        asker: Asker,
        /// The fencing token.
        token: u64,
    },
    /// Whoever asked is told that it never will.
    Refuse {
        /// Who asked.
        asker: Asker,
        /// How whoever asked is to end for it.
        outcome: Outcome,
        /// Why, for people.
        why: String,
    },
    /// A run that holds a slot is told to end, since another takes its place.
    Displace {
        /// The run.
        asker: Asker,
        /// Why, for people.
        why: String,
    },
}
