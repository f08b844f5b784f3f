//! How those stand that hold a lock or wait for it, for people.

use super::entry::Entry;
use super::queue::Lock;
use super::{Board, Holder, LockName, Want, Window};
use crate::Timestamp;

/// How somebody stands with one lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'b> {
    /// What is wanted.
    pub want: &'b Want,
    /// The slots that the lock has.
    pub slots: u32,
    /// The slots that are taken: all of them where others share it. Of a rate, what is reserved or has not come back: it may be
    /// more than there is, where somebody has used more than it had said.
    pub taken: u64,
    /// Of a rate: when there is enough for the first that waits, or else for one. `None` where reserves are in the way.
    pub frees_at: Option<Timestamp>,
    /// Until when nobody gets anything of a rate, since the other side has said so.
    pub paused_until: Option<Timestamp>,
    /// Who holds it, the oldest grant first.
    pub holders: Vec<&'b Entry>,
    /// Who waits for it, in order.
    pub waiters: Vec<&'b Entry>,
}

impl Board {
    /// How an entry stands `now` with each lock that it wants.
    pub fn standings(&self, holder: Holder, now: Timestamp) -> Vec<Standing<'_>> {
        let wants = self.entries.get(&holder).map_or(&[][..], |entry| &entry.ask.wants);
        wants.iter().filter_map(|want| self.standing(want, now)).collect()
    }

    /// All locks and rates, in the order of their names, as they stand `now`.
    pub fn locks(&self, now: Timestamp) -> Vec<(&LockName, Standing<'_>)> {
        let mut names: Vec<&LockName> = self.locks.keys().collect();
        names.sort_unstable();
        let standing = |name| {
            let lock: &Lock = self.locks.get(name)?;
            let holder = lock.holders.iter().chain(lock.queue.iter().map(|(_, holder)| holder)).next()?;
            let want = self.entries.get(holder)?.ask.wants.iter().find(|want| want.lock == *name)?;
            Some((name, self.standing(want, now)?))
        };
        let mut locks: Vec<_> = names.into_iter().filter_map(standing).collect();
        let idle = self.rates.windows().filter(|window| !self.locks.contains_key(window.name()));
        let idle = idle.filter(|window| window.empty_at().is_some_and(|at| at > now));
        locks.extend(idle.map(|window| (window.name(), idle_rate(window, now))));
        locks.sort_unstable_by_key(|(name, _)| *name);
        locks
    }

    fn standing<'b>(&'b self, want: &'b Want, now: Timestamp) -> Option<Standing<'b>> {
        let lock = self.locks.get(&want.lock)?;
        let mut holders: Vec<&Entry> =
            lock.holders.iter().filter_map(|holder| self.entries.get(holder)).collect();
        holders.sort_by_key(|entry| (entry.grant.map(|grant| grant.at), entry.holder()));
        let waiters = lock.queue.iter().filter_map(|(_, holder)| self.entries.get(holder)).collect();
        let taken = if lock.sharing > 0 { lock.slots() } else { lock.taken };
        let window = self.rates.window(&want.lock);
        let first = lock.queue.first().and_then(|(_, holder)| self.entries.get(holder));
        let first = first.and_then(|entry| entry.ask.wants.first());
        let one = Want { weight: 1, ..want.clone() };
        let frees_at =
            if want.is_rate() { self.rates.free_at(first.unwrap_or(&one), lock, now) } else { None };
        Some(Standing {
            want,
            slots: lock.slots(),
            taken: window.map_or(0, |window| window.used(now)).saturating_add(u64::from(taken)),
            frees_at,
            paused_until: window.and_then(|window| window.paused_until(now)),
            holders,
            waiters,
        })
    }
}

/// How a rate stands of which something has not come back, and which nobody wants now.
fn idle_rate(window: &Window, now: Timestamp) -> Standing<'_> {
    let most = u64::from(window.rate.slots.saturating_sub(1));
    Standing {
        want: &window.rate,
        slots: window.rate.slots,
        taken: window.used(now),
        frees_at: Some(window.free_at(most, now)),
        paused_until: window.paused_until(now),
        holders: Vec::new(),
        waiters: Vec::new(),
    }
}
