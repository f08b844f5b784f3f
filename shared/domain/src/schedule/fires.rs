//! The fires of a schedule in a span of time, for listing.

use super::Schedule;
use crate::Timestamp;

/// The fires after `after` up to and including `until`, in order, `limit` of them at most.
pub fn due_between(schedule: &Schedule, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
    std::iter::successors(schedule.next_after(after), |fire| schedule.next_after(*fire))
        .take_while(|fire| *fire <= until)
        .take(limit)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Zone;

    fn due(after: i64, until: i64, limit: usize) -> Vec<i64> {
        let schedule = Schedule::every(Duration::from_secs(1)).unwrap();
        due_between(&schedule, Timestamp::from_millis(after), Timestamp::from_millis(until), limit)
            .into_iter()
            .map(Timestamp::as_millis)
            .collect()
    }

    #[test]
    fn the_span_excludes_its_start_and_includes_its_end() {
        assert_eq!(due(1_000, 3_000, 10), [2_000, 3_000]);
        assert_eq!(due(999, 2_999, 10), [1_000, 2_000]);
    }

    #[test]
    fn the_limit_holds_and_an_empty_span_has_no_fires() {
        assert_eq!(due(0, 100_000_000, 3), [1_000, 2_000, 3_000]);
        assert!(due(0, 100_000, 0).is_empty());
        assert!(due(5_000, 5_000, 9).is_empty());
        assert!(due(5_000, 1_000, 9).is_empty());
    }

    #[test]
    fn an_instant_is_due_once() {
        let schedule = Schedule::at("1970-01-01T00:00:05Z").unwrap();
        let all = due_between(&schedule, Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX), 9);
        assert_eq!(all, [Timestamp::from_millis(5_000)]);
    }

    #[test]
    fn the_last_fire_and_the_number_of_fires_of_any_kind_are_those_that_are_listed() {
        let minute = Schedule::parse_cron("* * * * *", &Zone::utc()).unwrap();
        let second = Schedule::every(Duration::from_millis(700)).unwrap();
        let once = Schedule::at("1970-01-01T00:02:00Z").unwrap();
        for schedule in [minute, second, once] {
            for (after, until) in
                [(0, 600_000), (119_999, 120_000), (120_000, 120_000), (500_000, 1), (7, 699)]
            {
                let (after, until) = (Timestamp::from_millis(after), Timestamp::from_millis(until));
                let listed = due_between(&schedule, after, until, 10_000);
                assert_eq!(schedule.last_between(after, until), listed.last().copied(), "{schedule}");
                assert_eq!(schedule.count_between(after, until, 10_000), listed.len() as u64, "{schedule}");
            }
        }
    }

    #[test]
    fn counting_a_week_of_tenths_of_a_second_costs_nothing_and_counting_a_cron_text_stops_at_the_limit() {
        let week = Timestamp::from_millis(7 * 86_400_000);
        let tenth = Schedule::every(Duration::from_millis(100)).unwrap();
        assert_eq!(tenth.count_between(Timestamp::from_millis(0), week, 1), 6_048_000);
        let minute = Schedule::parse_cron("* * * * *", &Zone::utc()).unwrap();
        assert_eq!(minute.count_between(Timestamp::from_millis(0), week, 1_000), 1_000);
    }
}
