//! What a board does with rates, as its promises say it: a list of those that hold and wait, and a list of all uses that were
//! ever noted, each at its instant. Nothing is drawn together, and nothing is forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::lock::{Ask, Asker, Holder, LockName, Used, Want};
use millrace_domain::{Priority, Timestamp};

/// The uses that a board keeps apart, at least.
const KEPT_APART: usize = 128;

/// So much of one rate, by one attempt, at one instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    pub(crate) at: Timestamp,
    pub(crate) cost: u64,
    /// Whether it had come back before the clock was set back.
    was_back: bool,
}

/// What is known of one rate.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) per: Duration,
    pub(crate) uses: Vec<Use>,
    pub(crate) paused_until: Timestamp,
    /// Whether there were so many uses at a time that they may have been drawn together.
    pub(crate) is_drawn: bool,
}

/// One that holds or waits.
#[derive(Debug, Clone)]
pub(crate) struct One {
    pub(crate) ask: Ask,
    pub(crate) granted: Option<(Timestamp, u64)>,
    /// Which of the uses is its own, once it has started.
    pub(crate) used: Option<usize>,
}

/// Why an ask is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    TooMuch,
    /// Another says something else: its name is in the text.
    Conflict,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) ones: BTreeMap<Holder, One>,
    pub(crate) keys: BTreeMap<LockName, Key>,
}

impl One {
    pub(crate) fn want(&self) -> &Want {
        &self.ask.wants[0]
    }

    pub(crate) fn is_waiting_for(&self, rate: &LockName) -> bool {
        self.granted.is_none() && self.want().lock == *rate
    }

    fn place(&self) -> (Priority, Timestamp, Holder) {
        (self.ask.priority, self.ask.since, self.ask.asker.holder())
    }
}

impl Key {
    /// When a use has come back: a period after it, or as much later as may be.
    pub(crate) fn back(&self, one: &Use, late: bool) -> Timestamp {
        let back = one.at + self.per;
        if late && self.is_drawn { back + self.per / 100 + Duration::from_millis(1) } else { back }
    }

    /// What has not come back by now.
    pub(crate) fn used(&self, now: Timestamp, late: bool) -> u128 {
        let counts = |one: &&Use| self.back(one, late) > now && (late || !one.was_back);
        let left = self.uses.iter().filter(counts);
        left.map(|one| u128::from(one.cost)).sum()
    }

    /// Corrects what a clock has noted that was ahead.
    fn set_clock(&mut self, now: Timestamp) {
        self.uses.iter_mut().for_each(|one| one.at = one.at.min(now));
    }

    fn note(&mut self, at: Timestamp, cost: u64, now: Timestamp) -> usize {
        self.set_clock(now);
        self.uses.push(Use { at, cost, was_back: false });
        self.is_drawn |= self.uses.iter().filter(|one| self.back(one, true) > now).count() > KEPT_APART;
        self.uses.len() - 1
    }

    /// Whether in every stretch of time as long as the period no more is used than this.
    pub(crate) fn never_exceeds(&self, limit: u32) -> bool {
        self.uses.iter().all(|first| {
            let within = self.uses.iter().filter(|one| one.at >= first.at && one.at < first.at + self.per);
            within.map(|one| u128::from(one.cost)).sum::<u128>() <= u128::from(limit)
        })
    }
}

impl Model {
    pub(crate) fn key(&mut self, want: &Want) -> &mut Key {
        let new = Key {
            per: want.per(),
            uses: Vec::new(),
            paused_until: Timestamp::from_millis(i64::MIN),
            is_drawn: false,
        };
        self.keys.entry(want.lock.clone()).or_insert(new)
    }

    /// The clock is about to be set back.
    pub(crate) fn note_clock(&mut self, now: Timestamp) {
        for key in self.keys.values_mut() {
            let per = key.per;
            key.uses.iter_mut().for_each(|one| one.was_back = one.at + per <= now);
        }
    }

    /// Takes in an ask: whether it is to be refused.
    pub(crate) fn ask(&mut self, ask: &Ask, now: Timestamp) -> Option<Why> {
        let holder = ask.asker.holder();
        self.key(&ask.wants[0]).set_clock(now);
        if let Some(one) = self.ones.get(&holder) {
            if one.ask.asker.attempt >= ask.asker.attempt {
                return None;
            }
            // Nobody has said what the earlier attempt has used: it is all of it.
            if one.granted.is_some() && one.used.is_none() {
                let want = one.want().clone();
                self.key(&want).note(now, u64::from(want.weight), now);
            }
            self.ones.remove(&holder);
        }
        let want = &ask.wants[0];
        if want.weight > want.slots {
            return Some(Why::TooMuch);
        }
        let disagrees = |one: &&One| {
            let (other, says) = (&one.ask, one.want());
            let is_version = other.workflow == ask.workflow && other.version != ask.version;
            says.lock == want.lock && (says.slots, says.per()) != (want.slots, want.per()) && !is_version
        };
        if self.ones.values().any(|one| disagrees(&one)) {
            return Some(Why::Conflict);
        }
        self.ones.insert(holder, One { ask: ask.clone(), granted: None, used: None });
        None
    }

    /// Notes that an attempt has started: of the rate that it has a reserve of, if it has any.
    pub(crate) fn started(&mut self, asker: Asker, now: Timestamp) -> Option<LockName> {
        let one = self.ones.get(&asker.holder()).filter(|one| one.ask.asker == asker)?;
        let (Some(_), None) = (one.granted, one.used) else { return None };
        let want = one.want().clone();
        let used = self.key(&want).note(now, u64::from(want.weight), now);
        self.ones.get_mut(&asker.holder()).unwrap().used = Some(used);
        Some(want.lock)
    }

    /// Takes in a release: the rate that it is about, if it is about anything.
    pub(crate) fn release(&mut self, asker: Asker, used: Option<Used>, now: Timestamp) -> Option<LockName> {
        let is_of_it = |one: &One| one.ask.asker.attempt <= asker.attempt;
        let one = self.ones.get(&asker.holder()).filter(|one| is_of_it(one))?.clone();
        self.ones.remove(&asker.holder());
        let want = one.want().clone();
        let key = self.key(&want);
        if let (Some(used), Some((granted, _))) = (used, one.granted) {
            match one.used {
                Some(own) => key.uses[own].cost = used.cost,
                None => drop(key.note(used.at.max(granted).min(now), used.cost, now)),
            }
            if let Some(pause) = used.retry_after_ms {
                let pause = Duration::from_millis(pause).min(Duration::from_secs(24 * 3600));
                key.paused_until = key.paused_until.max(now + pause);
            }
        }
        Some(want.lock)
    }

    /// What a rate allows: as the newest version says of those that hold it and wait for it, and of the same the last.
    pub(crate) fn limit(&self, rate: &LockName) -> u32 {
        let ones = self.ones.values().filter(|one| one.want().lock == *rate);
        let newest = ones.max_by_key(|one| (one.ask.version, one.ask.since, one.ask.asker.holder()));
        newest.map_or(0, |one| one.want().slots)
    }

    /// What is reserved of a rate, and not used yet.
    pub(crate) fn reserved(&self, rate: &LockName) -> u128 {
        let ones = self.ones.values().filter(|one| one.want().lock == *rate);
        let reserves = ones.filter(|one| one.granted.is_some() && one.used.is_none());
        reserves.map(|one| u128::from(one.want().weight)).sum()
    }

    /// The first of those that wait for a rate.
    pub(crate) fn first(&self, rate: &LockName) -> Option<&One> {
        self.ones.values().filter(|one| one.is_waiting_for(rate)).min_by_key(|one| one.place())
    }

    /// Since when the first that waits could have it, or refused; `None` while reserves are in the way, or nobody waits.
    pub(crate) fn free_at(&self, rate: &LockName, now: Timestamp, late: bool) -> Option<Timestamp> {
        let (first, key) = (self.first(rate)?, &self.keys[rate]);
        let limit = u128::from(self.limit(rate));
        let wanted = u128::from(first.want().weight);
        if wanted > limit {
            return Some(now);
        }
        let most = limit.checked_sub(self.reserved(rate) + wanted)?;
        let mut instants: Vec<Timestamp> = key.uses.iter().map(|one| key.back(one, late)).collect();
        instants.push(now);
        instants.retain(|at| *at >= now);
        instants.sort_unstable();
        let is_free = |at: &Timestamp| key.used(*at, late) <= most;
        let place = instants.partition_point(|at| !is_free(at));
        Some(instants[place].max(key.paused_until))
    }
}
