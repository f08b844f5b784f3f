//! What a schedule does about an instant that is late (`catchup: none`). When the loop is busy, or a partition changes
//! hands, each fire is made, late; after a longer pause, or when it would be a burst, one run stands for all that fell
//! due meanwhile.

use std::time::Duration;

use millrace_domain::Timestamp;
use millrace_domain::schedule::Schedule;

/// The lateness up to which each instant still fires: there is much to do, or another producer has died and its lease had to lapse.
const BUSY: Duration = Duration::from_secs(15);

/// So many late instants of a schedule are made up for, at most.
const BURST: u64 = 50;

/// Past this, a fire was missed.
const LATEST: Duration = Duration::from_secs(60);

/// Missed instants of a cron text that are counted, at most: a week of a text with seconds must not stall the loop.
const COUNTED: u64 = 1_000;

/// The judgement of a schedule whose next fire is due: what fires, what is missed, what is next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The instant that fires.
    pub(crate) fires: Option<Timestamp>,
    /// The instants that do not fire any more.
    pub(crate) missed: Option<Missed>,
    /// The instant that is next.
    pub(crate) next: Option<Timestamp>,
}

/// Instants that were missed, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) count: u64,
    /// Whether there are more than were counted.
    pub(crate) is_more: bool,
}

impl Judgement {
    /// An instant that fires however late it is.
    pub(crate) fn fires(schedule: &Schedule, due: Timestamp) -> Self {
        Self { fires: Some(due), missed: None, next: schedule.next_after(due) }
    }

    /// Judges a schedule whose next fire was `due`, which is not after `now`.
    pub(crate) fn of(schedule: &Schedule, due: Timestamp, now: Timestamp) -> Self {
        let is_burst = || schedule.count_between(just_before(due), now, BURST + 1) > BURST;
        if now.since(due) <= BUSY && !is_burst() {
            return Self::fires(schedule, due);
        }
        let fires = schedule.last_between(just_before(due.max(now - LATEST)), now);
        let missed_until = fires.map_or(now, just_before);
        let missed = schedule.last_between(just_before(due), missed_until).map(|last| {
            let count = |limit| schedule.count_between(just_before(due), last, limit);
            Missed {
                first: due,
                last,
                count: count(COUNTED),
                is_more: count(COUNTED) == COUNTED && count(COUNTED + 1) > COUNTED,
            }
        });
        Self { fires, missed, next: schedule.next_after(fires.unwrap_or(now)) }
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at - Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use millrace_domain::schedule::Zone;

    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_millis((seconds * 1e3) as i64)
    }

    fn every(millis: u64) -> Schedule {
        Schedule::every(Duration::from_millis(millis)).unwrap()
    }

    /// What fires, what is missed (first, last, count), and what is next.
    type Judged = (Option<Timestamp>, Option<(Timestamp, Timestamp, u64)>, Option<Timestamp>);

    fn judged(schedule: &Schedule, due: f64, now: f64) -> Judged {
        let Judgement { fires, missed, next } = Judgement::of(schedule, at(due), at(now));
        (fires, missed.map(|missed| (missed.first, missed.last, missed.count)), next)
    }

    #[test]
    fn every_fire_is_made_while_the_loop_is_busy_or_a_partition_changes_hands() {
        let tenth = every(100);
        assert_eq!(judged(&tenth, 100.0, 100.3), (Some(at(100.0)), None, Some(at(100.1))));
        assert_eq!(judged(&tenth, 100.0, 104.9), (Some(at(100.0)), None, Some(at(100.1))));
        assert_eq!(judged(&every(1_000), 100.0, 115.0), (Some(at(100.0)), None, Some(at(101.0))));
    }

    #[test]
    fn what_would_be_a_burst_is_one_fire_however_short_the_pause() {
        let one = (Some(at(105.0)), Some((at(100.0), at(104.9), 50)), Some(at(105.1)));
        assert_eq!(judged(&every(100), 100.0, 105.0), one);
    }

    #[test]
    fn after_a_pause_the_latest_instant_fires_and_those_before_it_are_missed() {
        let one = (Some(at(125.0)), Some((at(100.0), at(124.9), 250)), Some(at(125.1)));
        assert_eq!(judged(&every(100), 100.0, 125.0), one);
        let one = (Some(at(120.0)), Some((at(100.0), at(110.0), 2)), Some(at(130.0)));
        assert_eq!(judged(&every(10_000), 100.0, 129.0), one);
    }

    #[test]
    fn a_single_fire_that_is_late_is_made_for_a_minute_and_missed_after_that() {
        let minutes = Schedule::parse_cron("* * * * *", &Zone::utc()).unwrap();
        assert_eq!(judged(&minutes, 120.0, 179.9), (Some(at(120.0)), None, Some(at(180.0))));
        let hours = Schedule::parse_cron("0 * * * *", &Zone::utc()).unwrap();
        assert_eq!(judged(&hours, 3_600.0, 3_660.0), (Some(at(3_600.0)), None, Some(at(7_200.0))));
        let missed = Some((at(3_600.0), at(3_600.0), 1));
        assert_eq!(judged(&hours, 3_600.0, 3_660.001), (None, missed, Some(at(7_200.0))));
        let once = Schedule::at("1970-01-01T01:00:00Z").unwrap();
        assert_eq!(judged(&once, 3_600.0, 3_601.0), (Some(at(3_600.0)), None, None));
        assert_eq!(judged(&once, 3_600.0, 9_000.0), (None, missed, None));
    }

    #[test]
    fn a_long_stop_counts_each_instant_that_was_missed() {
        let (now, minutes) = (2_250.0, Schedule::parse_cron("* * * * *", &Zone::utc()).unwrap());
        let missed = Some((at(60.0), at(2_160.0), 36));
        assert_eq!(judged(&minutes, 60.0, now), (Some(at(2_220.0)), missed, Some(at(2_280.0))));
        let week = 604_800.0;
        let (_, missed, _) = judged(&every(100), 100.0, week);
        assert_eq!(missed, Some((at(100.0), at(week - 0.1), 6_047_000)));
    }

    #[test]
    fn a_cron_text_with_very_many_missed_instants_is_counted_up_to_a_bound_and_says_so() {
        let seconds = Schedule::parse_cron("* * * * * *", &Zone::utc()).unwrap();
        let missed = |now| Judgement::of(&seconds, at(100.0), at(now)).missed.unwrap();
        let exactly = missed(1_100.0);
        assert_eq!((exactly.count, exactly.is_more, exactly.last), (1_000, false, at(1_099.0)));
        let week = missed(604_800.0);
        assert_eq!((week.count, week.is_more, week.last), (1_000, true, at(604_799.0)));
    }
}
