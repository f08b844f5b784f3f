//! A fault that has begun: to whom it was done, and what it excuses.

use std::time::Duration;

use crate::incident::Excuse;
use crate::kind::{Kind, LEASE};

/// The longest since the last renewal of a lease when a fault begins: cut off for longer than the rest, a
/// worker may lose it.
const RENEWED: Duration = Duration::from_secs(3);

/// A fault that has begun.
#[derive(Debug)]
pub struct Begun {
    /// The name of the member or node that it was done to.
    pub target: String,
    /// The place of that member or node.
    pub index: usize,
    /// Whose work may be repeated.
    pub hits: Hits,
    /// Whether the process is gone for good, so that recovery is counted from the beginning of the fault, not from its
    /// end.
    pub is_gone: bool,
    /// When the fault began.
    pub began: Duration,
}

/// Whose work may have to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hits {
    /// The work of nobody.
    Nobody,
    /// The work of one process, at once.
    Dead(u32),
    /// The work of one process, when the fault lasts longer than its lease.
    Away(u32),
    /// The work of everybody, when the fault lasts longer than a lease.
    All,
}

impl Begun {
    /// The repeated work that this fault excuses when it ended at `over`.
    pub fn excuse(&self, kind: Kind, over: Duration) -> Option<Excuse> {
        let long = over.saturating_sub(self.began) > LEASE.saturating_sub(RENEWED);
        let pid = match self.hits {
            Hits::Dead(pid) => Some(pid),
            Hits::Away(pid) if long => Some(pid),
            Hits::All if long => None,
            _ => return None,
        };
        Some(Excuse { pid, from: self.began, until: over, why: kind })
    }
}
