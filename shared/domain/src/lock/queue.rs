//! One lock: how many slots it has, who holds it, and who waits, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::Size;
use super::entry::Entry;
use super::{Ask, Holder, Want};
use crate::{Priority, Timestamp};

/// One lock, as long as somebody holds it or waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lock {
    /// How many slots it has, as each says that holds it or waits for it: the newest version, and of the same the last. So
    /// it has as many when the board comes back from what is written down.
    pub(super) declared: BTreeSet<Declared>,
    /// How many say each size.
    pub(super) sizes: BTreeMap<Size, u32>,
    /// The slots that are taken by those that do not share it.
    pub(super) taken: u32,
    /// The number of holders that share it.
    pub(super) sharing: u32,
    pub(super) holders: BTreeSet<Holder>,
    pub(super) queue: BTreeSet<(Place, Holder)>,
}

/// How many slots a lock has as somebody says. The greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Declared {
    version: Option<u32>,
    since: Timestamp,
    pub(super) holder: Holder,
    size: Size,
}

/// A place in a queue: the lowest is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    is_not_nested: bool,
    priority: Priority,
    pub(super) since: Timestamp,
}

impl Place {
    /// The place before all others of each kind, whenever they began to wait.
    pub(super) fn beginnings() -> impl Iterator<Item = Self> {
        let since = Timestamp::from_millis(i64::MIN);
        let of = move |is_not_nested| {
            Priority::ALL.into_iter().map(move |priority| Self { is_not_nested, priority, since })
        };
        [false, true].into_iter().flat_map(of)
    }
}

impl Lock {
    /// Whether all that hold it and wait for it say that it has so many slots.
    pub(super) fn agrees_on(&self, size: Size) -> bool {
        self.sizes.len() == 1 && self.sizes.contains_key(&size)
    }

    /// How much there is of it.
    pub(super) fn size(&self) -> Option<Size> {
        self.declared.last().map(|declared| declared.size)
    }

    /// The slots that it has.
    pub(super) fn slots(&self) -> u32 {
        self.size().map_or(0, |size| size.slots)
    }

    /// The slots that it has once this is admitted.
    pub(super) fn slots_with(&self, entry: &Entry, want: &Want) -> u32 {
        let own = declared(entry.holder(), &entry.ask, want);
        self.declared.last().map_or(own, |last| own.max(*last)).size.slots
    }
}

pub(super) fn declared(holder: Holder, ask: &Ask, want: &Want) -> Declared {
    Declared { version: ask.version, since: ask.since, holder, size: want.size() }
}

/// Whether a lock has room for what is wanted of it.
pub(super) fn has_room(want: &Want, slots: u32, taken: u32, sharing: u32) -> bool {
    if want.shared { taken == 0 } else { sharing == 0 && taken.saturating_add(want.weight) <= slots }
}

pub(super) fn place_of(entry: &Entry) -> Place {
    let Ask { priority, since, .. } = entry.ask;
    Place { is_not_nested: !entry.nested, priority, since }
}
