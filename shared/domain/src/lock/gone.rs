//! Runs whose ask is over: they gave back their slot, or were refused one. That is remembered for a while, since letters may
//! come twice, late and in another order: an ask that came again would have others make room for a run that has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Holder, Window};
use crate::{Outcome, Timestamp};

/// How long it is remembered, at least: longer than it takes until the letters of an owner that died are sent again. After a
/// partition was taken it begins anew.
const REMEMBERED: Duration = Duration::from_secs(120);

/// Those that are forgotten are forgotten together, so often.
const TOGETHER_MS: i64 = 10_000;

/// A run whose ask is over. As JSON it is one row of the table of its partition, in place of its entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The run.
    #[serde(flatten)]
    pub holder: Holder,
    /// Since when its ask is over.
    pub gone: Timestamp,
    /// With what it was refused, if it was: how it ends, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<(Outcome, String)>,
}

/// A row of the table of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// One that holds, or waits.
    Entry(Box<Entry>),
    /// One whose ask is over.
    Gone(Gone),
    /// What was used of a rate.
    Window(Box<Window>),
}

/// Those whose ask is over.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    by_holder: BTreeMap<Holder, Gone>,
    /// When each is forgotten.
    until: BTreeSet<(Timestamp, Holder)>,
}

impl Past {
    pub(super) fn get(&self, holder: Holder) -> Option<&Gone> {
        self.by_holder.get(&holder)
    }

    /// When somebody is to be forgotten.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.until.first().map(|(at, _)| *at)
    }

    /// Remembers one, from `now` on.
    pub(super) fn insert(&mut self, gone: Gone, now: Timestamp) {
        let until = (now + REMEMBERED).as_millis();
        let until = Timestamp::from_millis(until - until.rem_euclid(TOGETHER_MS) + TOGETHER_MS);
        self.until.insert((until, gone.holder));
        self.by_holder.insert(gone.holder, gone);
    }

    /// Forgets those whose time has come, at most `limit` of them.
    pub(super) fn forget_due(&mut self, now: Timestamp, limit: usize) -> Vec<Holder> {
        let due = self.until.iter().take_while(|(at, _)| *at <= now).take(limit);
        let due: Vec<(Timestamp, Holder)> = due.copied().collect();
        for one in &due {
            self.until.remove(one);
            self.by_holder.remove(&one.1);
        }
        due.into_iter().map(|(_, holder)| holder).collect()
    }
}
