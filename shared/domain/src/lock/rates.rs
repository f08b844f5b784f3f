//! What was used of the rates that are at home in a partition, and when each is to be looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::Effect;
use super::queue::Lock;
use super::window::Window;
use super::{LockName, Want};
use crate::Timestamp;

/// Windows of which all has come back are forgotten together, so often.
const TOGETHER_MS: i64 = 10_000;

/// What was used of the rates of a board, and when each is to be looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates {
    windows: BTreeMap<LockName, Window>,
    looks: BTreeSet<(Timestamp, LockName)>,
    look_at: BTreeMap<LockName, Timestamp>,
}

impl Rates {
    pub(super) fn window(&self, rate: &LockName) -> Option<&Window> {
        self.windows.get(rate)
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.values()
    }

    /// Adds the window of a rate, as it was written down.
    pub(super) fn insert(&mut self, window: Window, now: Timestamp) {
        let at = if window.is_ahead(now) { now } else { together(window.empty_at().unwrap_or(now)) };
        self.look_at(window.name(), at);
        self.windows.insert(window.name().clone(), window);
    }

    /// When a rate is to be looked at.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.looks.first().map(|(at, _)| *at)
    }

    /// Has a rate be looked at, unless it is earlier.
    pub(super) fn look_at(&mut self, rate: &LockName, at: Timestamp) {
        match self.look_at.get(rate) {
            Some(before) if *before <= at => return,
            Some(before) => drop(self.looks.remove(&(*before, rate.clone()))),
            None => {}
        }
        self.look_at.insert(rate.clone(), at);
        self.looks.insert((at, rate.clone()));
    }

    /// The rates that are to be looked at, at most `limit` of them.
    pub(super) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<LockName> {
        let due = self.looks.iter().take_while(|(at, _)| *at <= now).take(limit);
        let due: Vec<(Timestamp, LockName)> = due.cloned().collect();
        for one in &due {
            self.looks.remove(one);
            self.look_at.remove(&one.1);
        }
        due.into_iter().map(|(_, rate)| rate).collect()
    }

    /// When there is enough for what is wanted, if nothing else happens; `None` while the reserves of others are in the way.
    pub(super) fn free_at(&self, want: &Want, lock: &Lock, now: Timestamp) -> Option<Timestamp> {
        let most = lock.slots().checked_sub(lock.taken.checked_add(want.weight)?)?;
        Some(self.windows.get(&want.lock).map_or(now, |window| window.free_at(u64::from(most), now)))
    }

    /// Corrects what a clock has noted that was ahead; answers whether it has.
    pub(super) fn set_clock(&mut self, rate: &LockName, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let Some(window) = self.windows.get_mut(rate).filter(|window| window.is_ahead(now)) else {
            return false;
        };
        window.set_clock(now);
        let at = window.empty_at().unwrap_or(now);
        self.look_at(rate, together(at));
        effects.push(Effect::PutRate(rate.clone()));
        true
    }

    /// Changes the window of a rate, of which there is so much by now. It is looked at again when it is empty, and so whenever it
    /// is there.
    pub(super) fn change(
        &mut self,
        rate: Want,
        now: Timestamp,
        change: impl FnOnce(&mut Window),
        effects: &mut Vec<Effect>,
    ) {
        let name = rate.lock.clone();
        let window = self.windows.entry(name.clone()).or_insert_with(|| Window::new(&rate));
        window.rate = rate;
        change(window);
        let at = window.empty_at().unwrap_or(now);
        self.look_at(&name, together(at));
        effects.push(Effect::PutRate(name));
    }

    /// Forgets the window of a rate of which all has come back. One that is left is looked at again.
    pub(super) fn forget_empty(&mut self, rate: &LockName, now: Timestamp) -> bool {
        let Some(window) = self.windows.get(rate) else { return false };
        match window.empty_at() {
            Some(at) if at > now => {
                self.look_at(rate, together(at));
                false
            }
            _ => self.windows.remove(rate).is_some(),
        }
    }
}

/// The end of the stretch of time in which rates are forgotten together.
fn together(at: Timestamp) -> Timestamp {
    let at = at.as_millis();
    Timestamp::from_millis(at.saturating_add(TOGETHER_MS - at.rem_euclid(TOGETHER_MS)))
}
