//! What is decided about an ask when it arrives: it is refused, or others make room for it.

use super::Holder;
use crate::{Outcome, RunId};

/// What somebody asked for can never be had.
pub(super) struct Refused {
    /// How whoever asked is to end for it.
    pub(super) outcome: Outcome,
    /// Why, for people.
    pub(super) why: String,
}

/// One that has to make room for another.
pub(super) struct Displaced {
    pub(super) holder: Holder,
    pub(super) why: String,
}

/// Why a run ends whose place another takes.
pub(super) fn replaced(by: RunId) -> String {
    format!("replaced by run {by}")
}
