//! How those stand that hold a lock or wait for it, for people.

use super::entry::Entry;
use super::queue::Lock;
use super::{Board, Holder, LockName, Want};

/// How somebody stands with one lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'b> {
    /// What is wanted.
    pub want: &'b Want,
    /// The slots that the lock has.
    pub slots: u32,
    /// The slots that are taken: all of them where others share it.
    pub taken: u32,
    /// Who holds it, the oldest grant first.
    pub holders: Vec<&'b Entry>,
    /// Who waits for it, in order.
    pub waiters: Vec<&'b Entry>,
}

impl Board {
    /// How an entry stands with each lock that it wants.
    pub fn standings(&self, holder: Holder) -> Vec<Standing<'_>> {
        let wants = self.entries.get(&holder).map_or(&[][..], |entry| &entry.ask.wants);
        wants.iter().filter_map(|want| self.standing(want)).collect()
    }

    /// All locks, in the order of their names.
    pub fn locks(&self) -> Vec<(&LockName, Standing<'_>)> {
        let mut names: Vec<&LockName> = self.locks.keys().collect();
        names.sort_unstable();
        let standing = |name| {
            let lock: &Lock = self.locks.get(name)?;
            let holder = lock.holders.iter().chain(lock.queue.iter().map(|(_, holder)| holder)).next()?;
            let want = self.entries.get(holder)?.ask.wants.iter().find(|want| want.lock == *name)?;
            Some((name, self.standing(want)?))
        };
        names.into_iter().filter_map(standing).collect()
    }

    fn standing<'b>(&'b self, want: &'b Want) -> Option<Standing<'b>> {
        let lock = self.locks.get(&want.lock)?;
        let mut holders: Vec<&Entry> =
            lock.holders.iter().filter_map(|holder| self.entries.get(holder)).collect();
        holders.sort_by_key(|entry| (entry.grant.map(|grant| grant.at), entry.holder()));
        let waiters = lock.queue.iter().filter_map(|(_, holder)| self.entries.get(holder)).collect();
        let taken = if lock.sharing > 0 { lock.slots() } else { lock.taken };
        Some(Standing { want, slots: lock.slots(), taken, holders, waiters })
    }
}
