//! From local times to instants, across the changes of a zone's clock. Between two changes local time is UTC
//! plus a constant, so the walk goes from one such stretch to the next and decides only at the seams.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The rule for a fire whose local time is skipped when the clock goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It fires once, at the first instant after the gap.
    RunAfter,
    /// It does not fire.
    Skip,
}

/// The rule for a fire whose local time happens twice when the clock goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// It fires at the first occurrence.
    First,
    /// It fires at the second occurrence.
    Second,
    /// It fires at both.
    Both,
}

/// The user's rules for changes of the clock. What is left open follows the kind of the schedule; the rule stands in
/// the documentation of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockChanges {
    /// The rule of `dst_gap`.
    pub gap: Option<Gap>,
    /// The rule of `dst_fold`.
    pub fold: Option<Fold>,
}

impl Gap {
    /// Reads `run_after` or `skip`.
    ///
    /// # Errors
    ///
    /// A fragment that names the text and lists the two words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "run_after" => Ok(Self::RunAfter),
            "skip" => Ok(Self::Skip),
            _ => Err(format!("unknown dst_gap `{text}`; expected run_after or skip")),
        }
    }
}

impl Fold {
    /// Reads `first`, `second` or `both`.
    ///
    /// # Errors
    ///
    /// A fragment that names the text and lists the three words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "first" => Ok(Self::First),
            "second" => Ok(Self::Second),
            "both" => Ok(Self::Both),
            _ => Err(format!("unknown dst_fold `{text}`; expected first, second or both")),
        }
    }
}

/// The first instant after `after` (whole seconds) whose local time matches. `first_match` gives the first
/// local time that matches, at or after the one it is given; it must end by itself, which bounds this walk.
pub(super) fn next_instant(
    after: Timestamp,
    zone: &TimeZone,
    gap: Gap,
    fold: Fold,
    first_match: impl Fn(DateTime) -> Option<DateTime>,
) -> Option<Timestamp> {
    let mut offset = zone.to_offset(after);
    let mut local = first_match(offset.to_datetime(after).checked_add(SignedDuration::from_secs(1)).ok()?)?;
    if fold == Fold::First
        && let Some(end) = end_of_repeat(after, offset, local, zone)
    {
        local = first_match(end)?;
    }
    for change in zone.following(after) {
        let at = change.timestamp();
        let (wall_before, wall_after) = (offset.to_datetime(at), change.offset().to_datetime(at));
        let within = local < wall_before;
        let repeated_later = wall_after <= local;
        if within && !(fold == Fold::Second && repeated_later) {
            return offset.to_timestamp(local).ok();
        }
        let missing = !within && local < wall_after;
        if missing && gap == Gap::RunAfter {
            return Some(at);
        }
        // After a gap the walk goes on behind it; after a step back it starts over, unless the repeated
        // times have had their turn.
        let resume = if fold == Fold::First { wall_before.max(wall_after) } else { wall_after };
        if missing || (resume < wall_before) {
            local = first_match(resume)?;
        }
        offset = change.offset();
    }
    offset.to_timestamp(local).ok()
}

/// The end of the repeated local times, if `local` is one and `offset` is that of their second occurrence.
fn end_of_repeat(after: Timestamp, offset: Offset, local: DateTime, zone: &TimeZone) -> Option<DateTime> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Fold { before, after: second } if second == offset => {
            let now = after.checked_add(SignedDuration::from_secs(1)).ok()?;
            let change = zone.preceding(now).next()?;
            // The repeat may also be that of a later year, whose first occurrence is still to come.
            Some(before.to_datetime(change.timestamp())).filter(|end| local < *end)
        }
        _ => None,
    }
}
