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
}
