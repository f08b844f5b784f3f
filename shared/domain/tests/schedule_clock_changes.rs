//! What schedules do where real clocks changed: the expected instants are written out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::time::Duration;

use millrace_domain::Timestamp;
use millrace_domain::schedule::{ClockChanges, Fold, Gap, Schedule, Zone, due_between};

fn instant(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// Checks that the fires from the first of `expected` to its last are those and no others.
fn fires_with(changes: ClockChanges, zone: &str, text: &str, expected: &[&str]) {
    let schedule = Schedule::parse_cron_with(text, &Zone::parse(zone).unwrap(), changes).unwrap();
    let expected: Vec<Timestamp> = expected.iter().map(|text| instant(text)).collect();
    let shown = |fires: &[Timestamp]| fires.iter().map(Timestamp::to_string).collect::<Vec<_>>();
    let (first, last) = (expected[0], expected[expected.len() - 1]);
    let found = due_between(&schedule, first - Duration::from_millis(1), last, 99);
    assert_eq!(shown(&found), shown(&expected), "{text} in {zone}");
}

fn fires(zone: &str, text: &str, expected: &[&str]) {
    fires_with(ClockChanges::default(), zone, text, expected);
}

#[test]
fn new_york_skips_the_hour_from_two_on_8_march_2026() {
    let zone = "America/New_York";
    // 02:30 is missing: it fires at 03:00 EDT.
    fires(zone, "30 2 * * *", &["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    // Two times in one gap are one fire, and so is one that falls on its end.
    fires(
        zone,
        "0,30 2 * * *",
        &["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T06:30:00Z"],
    );
    fires(
        zone,
        "0 2,3 * * *",
        &["2026-03-07T08:00:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z"],
    );
    // Rhythms go on in real time.
    fires(zone, "0 * * * *", &["2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"]);
    fires(zone, "*/30 * * * *", &["2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]);
    fires(zone, "*/30 2 * * *", &["2026-03-07T07:30:00Z", "2026-03-09T06:00:00Z", "2026-03-09T06:30:00Z"]);
}

#[test]
fn new_york_repeats_the_hour_from_one_on_1_november_2026() {
    let zone = "America/New_York";
    fires(zone, "30 1 * * *", &["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    fires(zone, "0 2 * * *", &["2026-10-31T06:00:00Z", "2026-11-01T07:00:00Z", "2026-11-02T07:00:00Z"]);
    fires(
        zone,
        "0 * * * *",
        &["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
    );
    fires(
        zone,
        "*/30 1 * * *",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-02T06:00:00Z",
        ],
    );
}

#[test]
fn a_search_from_within_the_repeated_hour_knows_which_occurrence_it_is_in() {
    let new_york = Zone::parse("America/New_York").unwrap();
    let next = |text: &str, after| {
        Schedule::parse_cron(text, &new_york).unwrap().next_after(instant(after)).unwrap().to_string()
    };
    // 01:10 and 01:50 of the second occurrence: 01:30 has had its turn in the first.
    assert_eq!(next("30 1 * * *", "2026-11-01T06:10:00Z"), "2026-11-02T06:30:00.000Z");
    assert_eq!(next("30 1 * * *", "2026-11-01T06:50:00Z"), "2026-11-02T06:30:00.000Z");
    // 01:50 of the first.
    assert_eq!(next("30 1 * * *", "2026-11-01T05:50:00Z"), "2026-11-02T06:30:00.000Z");
    assert_eq!(next("*/30 1 * * *", "2026-11-01T05:50:00.5Z"), "2026-11-01T06:00:00.000Z");
    assert_eq!(next("*/30 1 * * *", "2026-11-01T06:10:00Z"), "2026-11-01T06:30:00.000Z");
}

#[test]
fn the_users_word_on_changes_holds_for_either_kind() {
    let zone = "America/New_York";
    let changes = |gap, fold| ClockChanges { gap, fold };
    let skip = changes(Some(Gap::Skip), None);
    fires_with(skip, zone, "30 2 * * *", &["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"]);
    let run_after = changes(Some(Gap::RunAfter), None);
    fires_with(
        run_after,
        zone,
        "*/30 2 * * *",
        &["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"],
    );
    let second = changes(None, Some(Fold::Second));
    fires_with(
        second,
        zone,
        "30 1 * * *",
        &["2026-10-31T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
    );
    fires_with(
        second,
        zone,
        "0 * * * *",
        &["2026-11-01T04:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
    );
    let both = changes(None, Some(Fold::Both));
    fires_with(
        both,
        zone,
        "30 1 * * *",
        &["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
    );
    let first = changes(None, Some(Fold::First));
    fires_with(
        first,
        zone,
        "0 * * * *",
        &["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"],
    );
}

#[test]
fn berlin_changes_in_march_and_october_2026() {
    let zone = "Europe/Berlin";
    fires(zone, "15 2 * * *", &["2026-03-28T01:15:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z"]);
    fires(zone, "15 2 * * *", &["2026-10-24T00:15:00Z", "2026-10-25T00:15:00Z", "2026-10-26T01:15:00Z"]);
    fires(zone, "0 */2 * * *", &["2026-10-24T22:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"]);
    // A yearly time in the repeated hour is found from the winter before, whose offset is the second one's.
    fires(zone, "30 2 25 10 *", &["2025-10-25T00:30:00Z", "2026-10-25T00:30:00Z", "2027-10-25T00:30:00Z"]);
    let twice_a_year = Schedule::parse_cron("30 2 25 10,12 *", &Zone::parse(zone).unwrap()).unwrap();
    assert_eq!(
        twice_a_year.next_after(instant("2026-01-15T00:00:00Z")),
        Some(instant("2026-10-25T00:30:00Z"))
    );
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    let zone = "Australia/Lord_Howe";
    // 5 April 2026: from 02:00 +11 back to 01:30 +10:30.
    fires(zone, "45 1 * * *", &["2026-04-03T14:45:00Z", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
    fires(
        zone,
        "*/15 * * * *",
        &[
            "2026-04-04T14:30:00Z",
            "2026-04-04T14:45:00Z",
            "2026-04-04T15:00:00Z",
            "2026-04-04T15:15:00Z",
            "2026-04-04T15:30:00Z",
        ],
    );
    // 4 October 2026: from 02:00 +10:30 to 02:30 +11.
    fires(zone, "15 2 * * *", &["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    fires(zone, "0 * * * *", &["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"]);
}

#[test]
fn sao_paulo_and_beirut_skip_midnight() {
    fires(
        "America/Sao_Paulo",
        "0 0 * * *",
        &["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
    );
    fires(
        "Asia/Beirut",
        "0 0 * * *",
        &["2022-03-25T22:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"],
    );
    fires("Asia/Beirut", "30 0 27 3 *", &["2021-03-26T22:30:00Z", "2022-03-26T22:00:00Z"]);
}

#[test]
fn sao_paulo_repeats_the_hour_before_midnight() {
    let zone = "America/Sao_Paulo";
    fires(zone, "30 23 * * *", &["2018-02-17T01:30:00Z", "2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"]);
    fires(zone, "0 0 * * *", &["2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"]);
}

#[test]
fn a_time_skipped_at_the_end_of_a_day_fires_on_the_next() {
    // Nuuk went from 23:00 on 30 March 2024 to 00:00 on the 31st.
    fires("America/Nuuk", "30 23 30 3 *", &["2023-03-31T01:30:00Z", "2024-03-31T01:00:00Z"]);
    // Apia had no 30 December 2011.
    let zone = "Pacific/Apia";
    fires(zone, "0 12 30 12 *", &["2010-12-30T22:00:00Z", "2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]);
    fires(zone, "0 12 * * *", &["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]);
}

#[test]
fn shanghai_has_had_no_changes_for_long() {
    let zone = "Asia/Shanghai";
    fires(zone, "0 2 * * *", &["2026-03-07T18:00:00Z", "2026-03-08T18:00:00Z", "2026-03-09T18:00:00Z"]);
}

#[test]
fn the_words_for_changes_are_read_and_others_refused() {
    assert_eq!(Gap::parse("run_after"), Ok(Gap::RunAfter));
    assert_eq!(Gap::parse("skip"), Ok(Gap::Skip));
    assert_eq!(Gap::parse("run"), Err("unknown dst_gap `run`; expected run_after or skip".to_owned()));
    assert_eq!(Fold::parse("first"), Ok(Fold::First));
    assert_eq!(Fold::parse("second"), Ok(Fold::Second));
    assert_eq!(Fold::parse("both"), Ok(Fold::Both));
    assert_eq!(
        Fold::parse("last"),
        Err("unknown dst_fold `last`; expected first, second or both".to_owned())
    );
}
