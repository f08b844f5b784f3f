//! A fault that has begun: to whom it was done, and what it excuses.

use std::time::Duration;

use crate::incident::Excuse;
use crate::kind::{Kind, LEASE};

/// How long before a lease is over it may have been renewed for the last time: cut off for longer than the rest, a
/// worker may lose it.
const RENEWED: Duration = Duration::from_secs(3);

/// A fault that has begun.
#[derive(Debug)]
pub struct Begun {
    /// To whom it was done.
    pub target: String,
    /// The place of that, among members or nodes.
    pub index: usize,
    /// Work of which workers may be repeated: one process, all, or none.
    pub hits: Hits,
    /// Recovery is counted from its beginning, since the process is gone for good: not from its end.
    pub is_gone: bool,
    /// When it began.
    pub began: Duration,
}

/// Whose work may have to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hits {
    /// Nobody's.
    Nobody,
    /// That of one process, at once.
    Dead(u32),
    /// That of one process, when this lasts longer than its lease.
    Away(u32),
    /// Everybody's, when this lasts longer than a lease.
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
