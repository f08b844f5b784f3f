//! When runs start by themselves: a cron text in a time zone, an interval, or one instant. It answers which
//! instants those are; it does not know the time, and whether a fire that was missed still counts is not its
//! business either.
//!
//! # When the clocks change
//!
//! A cron text speaks of local time, and a time zone skips some local times and repeats others. A schedule
//! whose minute and hour (and second) are fixed, such as `30 2 * * *`, keeps its count of fires: a time that
//! is skipped fires once, at the first instant after the gap, and a time that is repeated fires once, at its
//! first occurrence. A schedule with a `*` at the head of its second, minute or hour, such as `*/5 * * * *`,
//! keeps its rhythm: it fires whenever the clock on the wall shows a time that matches, so nothing for the
//! skipped times and both times for the repeated ones. This is the rule of Vixie cron. [`Gap`] and [`Fold`],
//! where a user says them, hold for either kind. Gaps of any length are treated alike, whether 30 minutes
//! (Lord Howe), across midnight (Beirut) or a whole day (Apia, 2011-12-30).
//!
//! A reader's path: [`Schedule`] → `cron` (the text as a whole) → `field` (one field of it, about a `unit`
//! of time) → `clock_change` (from local times to instants).

mod clock_change;
mod cron;
mod describe;
mod field;
mod fires;
mod instant;
mod interval;
mod item;
mod quartz;
mod rule;
mod time_of_day;
mod unit;
mod zone;

pub use clock_change::{ClockChanges, Fold, Gap};
pub use fires::due_between;
pub(crate) use instant::Instant;
pub use rule::Schedule;
pub use time_of_day::TimeOfDay;
pub use zone::Zone;
