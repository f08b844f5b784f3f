//! Rates: so much in any period, for each key. A rate is a lock whose slots come back a period after they were used, and not
//! when they are given back: an attempt has a reserve from its grant on, which is used when the attempt starts, and of which
//! comes back at once what it did not use.

use std::collections::{BTreeMap, BTreeSet};

use super::board::Effect;
use super::queue::Lock;
use super::window::{Used, Window};
use super::{Asker, Board, Holder, LockName, Want};
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
    fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<LockName> {
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
    fn change(
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
    fn forget_empty(&mut self, rate: &LockName, now: Timestamp) -> bool {
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

impl Board {
    /// The window of a rate, as it is to be written down now.
    pub fn window(&self, rate: &LockName) -> Option<&Window> {
        self.rates.window(rate)
    }

    /// Notes that an attempt has started which has a reserve: that is used by now, and comes back a period later.
    pub fn started(&mut self, asker: Asker, now: Timestamp, least: u64) -> Vec<Effect> {
        let (holder, mut effects) = (asker.holder(), Vec::new());
        let Some(entry) = self.entries.get_mut(&holder).filter(|entry| entry.ask.asker == asker) else {
            return effects;
        };
        let ([want], Some(grant)) = (&*entry.ask.wants, &mut entry.grant) else { return effects };
        if !want.is_rate() || grant.used_at.is_some() {
            return effects;
        }
        grant.used_at = Some(now);
        let want = want.clone();
        if let Some(lock) = self.locks.get_mut(&want.lock) {
            lock.taken -= want.weight;
        }
        effects.push(Effect::Put(holder));
        let add = |window: &mut Window| window.add(now, u64::from(want.weight), now);
        self.rates.change(self.as_declared(&want), now, add, &mut effects);
        self.serve(vec![want.lock], now, least, &mut effects);
        effects
    }

    /// Notes what somebody has used who gives back its reserve. Where that is not said, it is all of it if it has started, and
    /// nothing otherwise.
    pub(super) fn settle(
        &mut self,
        holder: Holder,
        used: Option<Used>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some((entry, used)) = self.entries.get(&holder).zip(used) else { return };
        let ([want], Some(grant)) = (&*entry.ask.wants, entry.grant) else { return };
        if !want.is_rate() {
            return;
        }
        let change = |window: &mut Window| {
            match grant.used_at {
                None => window.add(used.at.max(grant.at).min(now), used.cost, now),
                Some(at) => window.correct(at, u64::from(want.weight), used.cost, now),
            }
            used.retry_after_ms.into_iter().for_each(|millis| window.pause_for(millis, now));
        };
        self.rates.change(self.as_declared(want), now, change, effects);
    }

    /// What is wanted of a rate, with as much of that as there is: of several versions the newest says it.
    fn as_declared(&self, want: &Want) -> Want {
        let size = self.locks.get(&want.lock).and_then(Lock::size);
        size.map_or_else(|| want.clone(), |size| want.of_size(size))
    }

    /// Notes that somebody has used all of its reserve, as far as is known.
    pub(super) fn settle_all(&mut self, holder: Holder, now: Timestamp, effects: &mut Vec<Effect>) {
        let want = self.entries.get(&holder).and_then(|entry| entry.ask.wants.first());
        let used = want.map(|want| Used { cost: u64::from(want.weight), at: now, retry_after_ms: None });
        self.settle(holder, used, now, effects);
    }

    /// Has all rates be looked at: the clock was set back.
    pub fn clock_went_back(&mut self, now: Timestamp) {
        let rates: Vec<LockName> = self.rates.windows.keys().cloned().collect();
        rates.iter().for_each(|rate| self.rates.look_at(rate, now));
    }

    /// Serves those that waited for rates of which something has come back, and forgets those of which all has.
    pub(super) fn look_at_rates(
        &mut self,
        now: Timestamp,
        limit: usize,
        least: u64,
        effects: &mut Vec<Effect>,
    ) {
        for rate in self.rates.take_due(now, limit) {
            self.rates.set_clock(&rate, now, effects);
            self.serve(vec![rate.clone()], now, least, effects);
            if self.rates.forget_empty(&rate, now) {
                effects.push(Effect::DeleteRate(rate));
            }
        }
    }
}
