//! What goes wrong in a seed, and how often. Each seed has its own mix: most suffer from a few things at a time, so
//! that what one fault does is not always hidden behind another.

use std::time::Duration;

use crate::dice::Dice;

/// The moment at which something happens to a call: the server has not heard of it, or has done it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// The mix of faults of a seed. Numbers are times in a thousand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Calls that take a while.
    pub(crate) slow: u32,
    /// The longest that these take.
    pub(crate) slowest_ms: u64,
    /// Calls that fail, half of them after they took effect.
    pub(crate) lost: u32,
    /// Messages that are refused.
    pub(crate) refused: u32,
    /// Letters that are refused.
    pub(crate) letters_refused: u32,
    /// Messages whose confirm is lost.
    pub(crate) unconfirmed: u32,
    /// Messages that arrive twice.
    pub(crate) doubled: u32,
    /// Messages that the broker loses though it confirmed them (never submissions, which are the client's word, nor letters,
    /// which are a commit's).
    pub(crate) dropped: u32,
    /// Messages that are delivered out of order.
    pub(crate) reordered: u32,
    /// Settlements that take a while to reach the broker.
    pub(crate) late_acks: u32,
    /// Processes that die at one of their first calls.
    pub(crate) doomed: u32,
    /// The number of calls within which these die.
    pub(crate) doomed_within: u64,
    /// The most that a process's wall clock is off.
    pub(crate) skew_ms: u64,
    /// Things that are done to processes and servers while faults last.
    pub(crate) blows: u64,
    /// Things that only a newer version knows, which a part of the fleet may be of.
    pub(crate) unknown: u64,
}

/// The fate of a call: what happens to it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    pub(crate) fails: Option<Moment>,
}

impl Faults {
    /// Draws the mix of a seed.
    pub(crate) fn drawn(dice: &mut Dice) -> Self {
        let mut some =
            |per_mille: u32, high: u64| if dice.chance(per_mille) { dice.range(1, high) } else { 0 };
        Self {
            slow: some(500, 400) as u32,
            slowest_ms: *[3, 20, 200, 1_500].get(some(800, 3) as usize).unwrap_or(&3),
            lost: some(500, 80) as u32,
            refused: some(200, 100) as u32,
            letters_refused: 0,
            unconfirmed: some(300, 150) as u32,
            doubled: some(300, 200) as u32,
            dropped: some(200, 80) as u32,
            reordered: some(300, 500) as u32,
            late_acks: some(300, 500) as u32,
            doomed: if some(500, 1) == 1 { 700 } else { 0 },
            doomed_within: 20 + some(700, 200),
            skew_ms: some(400, 600_000),
            blows: some(800, 9),
            unknown: some(300, 12),
        }
    }

    /// Draws the fate of a call.
    pub(crate) fn fate(&self, dice: &mut Dice) -> Fate {
        let mut fate = Fate::default();
        if dice.chance(self.slow) {
            let delay = dice.millis(0, self.slowest_ms);
            if dice.chance(500) { fate.before = delay } else { fate.after = delay }
        }
        if dice.chance(self.lost) {
            fate.fails = Some(moment(dice));
        }
        fate
    }
}

/// Draws a moment: before or after.
pub(crate) fn moment(dice: &mut Dice) -> Moment {
    if dice.chance(500) { Moment::Before } else { Moment::After }
}
