//! Rates: so much in any period, for each key. A rate is a lock whose slots come back a period after they were used, and not
//! when they are given back: an attempt has a reserve from its grant on, which is used when the attempt starts, and of which
//! comes back at once what it did not use.

use super::effect::Effect;
use super::queue::Lock;
use super::window::{Used, Window};
use super::{Asker, Board, Holder, LockName, Want};
use crate::Timestamp;

impl Board {
    /// The window of a rate, as it is to be written down now.
    pub fn window(&self, rate: &LockName) -> Option<&Window> {
        self.rates.window(rate)
    }

    /// The windows of all rates of which anything is used.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.rates.windows()
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
        let rates: Vec<LockName> = self.rates.windows().map(|window| window.name().clone()).collect();
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
