//! A cron text means what it means in a crontab, and one that cannot be meant is refused with the fix.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::time::Duration;

use millrace_domain::Timestamp;
use millrace_domain::schedule::{Schedule, Zone, due_between};

fn utc(text: &str) -> Schedule {
    Schedule::parse_cron(text, &Zone::utc()).unwrap()
}

fn refusal(text: &str) -> String {
    Schedule::parse_cron(text, &Zone::utc()).unwrap_err()
}

fn instant(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// The fires after `after`, as `MM-DD HH:MM:SS`.
fn fires(text: &str, after: &str, count: usize) -> Vec<String> {
    due_between(&utc(text), instant(after), instant("2200-01-01T00:00:00Z"), count)
        .into_iter()
        .map(|fire| fire.to_string()[5..19].replace('T', " "))
        .collect()
}

#[test]
fn five_fields_fire_on_the_minute_and_six_on_the_second() {
    assert_eq!(fires("30 2 * * *", "2026-01-01T02:30:00Z", 2), ["01-02 02:30:00", "01-03 02:30:00"]);
    assert_eq!(fires("30 2 * * *", "2026-01-01T02:29:59.999Z", 1), ["01-01 02:30:00"]);
    assert_eq!(fires("*/20 30 2 * * *", "2026-01-01T02:30:00.001Z", 2), ["01-01 02:30:20", "01-01 02:30:40"]);
    assert_eq!(
        fires("  5-59/25\t1  * * * ", "2026-01-01T00:00:00Z", 3),
        ["01-01 01:05:00", "01-01 01:30:00", "01-01 01:55:00"]
    );
}

#[test]
fn nicknames_are_the_fields_they_stand_for() {
    for (nickname, fields) in [
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@YEARLY", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ] {
        let after = "2026-02-03T04:05:06Z";
        assert_eq!(fires(nickname, after, 5), fires(fields, after, 5), "{nickname}");
        assert_eq!(utc(nickname).to_string(), nickname);
    }
}

#[test]
fn zero_and_seven_are_sunday_and_names_are_the_numbers() {
    // 2026-01-04 is a Sunday.
    for sunday in ["0", "7", "SUN", "sun"] {
        let text = format!("0 0 * * {sunday}");
        assert_eq!(fires(&text, "2026-01-01T00:00:00Z", 2), ["01-04 00:00:00", "01-11 00:00:00"]);
    }
    for weekend in ["6-7", "SAT-SUN", "6,0", "sat,SUN", "6-0"] {
        assert_eq!(
            fires(&format!("0 0 * * {weekend}"), "2026-01-01T00:00:00Z", 3),
            ["01-03 00:00:00", "01-04 00:00:00", "01-10 00:00:00"]
        );
    }
    assert_eq!(fires("0 0 1 FEB,apr *", "2026-01-01T00:00:00Z", 2), ["02-01 00:00:00", "04-01 00:00:00"]);
}

#[test]
fn day_of_month_or_weekday_is_enough_when_both_are_restricted() {
    // 2026-01-09 and 2026-01-16 are Fridays, the 13th is a Tuesday.
    assert_eq!(
        fires("0 0 13 * FRI", "2026-01-08T00:00:00Z", 3),
        ["01-09 00:00:00", "01-13 00:00:00", "01-16 00:00:00"]
    );
}

#[test]
fn a_star_with_a_step_or_a_plus_asks_for_both_days_to_match() {
    // Mondays on odd days of January 2026: the 5th and the 19th.
    assert_eq!(fires("0 0 */2 * MON", "2026-01-01T00:00:00Z", 2), ["01-05 00:00:00", "01-19 00:00:00"]);
    // Sundays, Wednesdays and Saturdays in the first week.
    assert_eq!(
        fires("0 0 1-7 * */3", "2026-01-01T00:00:00Z", 3),
        ["01-03 00:00:00", "01-04 00:00:00", "01-07 00:00:00"]
    );
    assert_eq!(fires("0 0 13 * +FRI", "2026-01-01T00:00:00Z", 2), ["02-13 00:00:00", "03-13 00:00:00"]);
}

#[test]
fn the_first_sunday_of_a_month_is_written_with_a_plus() {
    // A crontab's idiom: a `*` at the head of the weekday asks for both. What is offered keeps that.
    assert!(refusal("1 1 1-7 * */7").contains("write `+0`"), "{}", refusal("1 1 1-7 * */7"));
    assert_eq!(fires("1 1 1-7 * +0", "2026-01-01T00:00:00Z", 2), ["01-04 01:01:00", "02-01 01:01:00"]);
    assert_eq!(fires("1 1 1-7 * +MON", "2026-01-01T00:00:00Z", 2), ["01-05 01:01:00", "02-02 01:01:00"]);
}

#[test]
fn numbers_of_weekdays_beside_a_question_mark_are_refused_with_both_readings() {
    for text in ["0 12 ? * 2-6", "0 0 12 ? * 6L", "0 0 12 ? JAN 6#3"] {
        assert!(refusal(text).contains("in Quartz, where the `?` is from, 1 is Sunday"), "{}", refusal(text));
    }
    // 2026-01-05 is a Monday; no text of Quartz has a 0.
    assert_eq!(fires("0 12 ? * MON", "2026-01-01T00:00:00Z", 1), ["01-05 12:00:00"]);
    assert_eq!(fires("0 12 ? * 0", "2026-01-01T00:00:00Z", 1), ["01-04 12:00:00"]);
    assert_eq!(fires("0 12 4 * ?", "2026-01-01T00:00:00Z", 1), ["01-04 12:00:00"]);
}

#[test]
fn days_can_be_counted_from_the_end_of_the_month_and_by_weekday() {
    let year = "2026-01-01T00:00:00Z";
    assert_eq!(fires("0 0 L * *", year, 3), ["01-31 00:00:00", "02-28 00:00:00", "03-31 00:00:00"]);
    // The last of January is a Saturday, that of May a Sunday.
    assert_eq!(fires("0 0 LW 1,5 *", year, 2), ["01-30 00:00:00", "05-29 00:00:00"]);
    // 2026-08-15 is a Saturday, 2026-11-15 a Sunday.
    assert_eq!(fires("0 0 15W 8,11 *", year, 2), ["08-14 00:00:00", "11-16 00:00:00"]);
    assert_eq!(fires("0 0 * * FRI#2", year, 2), ["01-09 00:00:00", "02-13 00:00:00"]);
    assert_eq!(fires("0 0 * * 5L", year, 2), ["01-30 00:00:00", "02-27 00:00:00"]);
    assert_eq!(fires("0 0 * * 7#1", year, 2), ["01-04 00:00:00", "02-01 00:00:00"]);
}

#[test]
fn the_rarest_date_is_found_across_a_century_without_leap_day() {
    let leap = utc("0 0 29 2 *");
    assert_eq!(leap.next_after(instant("2096-03-01T00:00:00Z")), Some(instant("2104-02-29T00:00:00Z")));
    // 2100 has no 29 February, so that its Mondays are 40 years apart there.
    let monday = utc("0 0 29 2 +MON");
    assert_eq!(monday.next_after(instant("2072-02-29T00:00:00Z")), Some(instant("2112-02-29T00:00:00Z")));
}

#[test]
fn the_search_ends_at_the_last_year_and_starts_at_the_epoch() {
    let daily = utc("0 0 * * *");
    assert_eq!(daily.next_after(instant("2200-12-31T00:00:00Z")), None);
    assert_eq!(daily.next_after(Timestamp::from_millis(i64::MAX)), None);
    assert_eq!(daily.next_after(Timestamp::from_millis(i64::MIN)), Some(Timestamp::from_millis(0)));
}

#[test]
fn a_text_that_never_fires_is_refused() {
    assert_eq!(
        refusal("0 0 30 2 *"),
        "never fires: no date has day of month `30` in month `2`; choose a day that comes"
    );
    assert!(refusal("0 0 31 FEB,APR,JUN,SEP,NOV *").starts_with("never fires: "));
    assert_eq!(
        refusal("0 0 1-7 * +MON#2"),
        "never fires: no date has day of month `1-7` on weekday `1#2`; choose a day that comes"
    );
    // With the weekday as the other way to match, it does fire.
    assert_eq!(fires("0 0 30 2 MON", "2026-01-01T00:00:00Z", 1), ["02-02 00:00:00"]);
}

#[test]
fn a_text_of_another_shape_is_refused_with_what_was_expected() {
    let count = "expected 5 fields (minute hour day month weekday), or 6 with seconds first; found";
    assert_eq!(refusal("0 2 *"), format!("{count} 3"));
    assert_eq!(refusal("0 0 2 * * * 2026"), format!("{count} 7"));
    assert_eq!(refusal("daily"), format!("{count} 1"));
    assert_eq!(refusal(" "), "cron text is empty; expected such as `0 2 * * *`, daily at 02:00");
    assert_eq!(refusal(&"0 ".repeat(200)), "cron text of 399 bytes is too long; expected at most 256");
    assert_eq!(refusal("60 * * * *"), "minute `60`: 60 is out of range; expected 0 to 59");
    assert_eq!(refusal("* 24 * * *"), "hour `24`: 24 is out of range; expected 0 to 23, where midnight is 0");
    assert_eq!(refusal("*/0 * * * *"), "minute `*/0`: a step of 0 goes nowhere; expected 1 or more");
    assert_eq!(refusal("60 0 2 * * *"), "second `60`: 60 is out of range; expected 0 to 59");
    assert!(refusal("* * * * ä").starts_with("weekday `ä`: `ä` cannot be read; expected 0 to 7"));
    assert_eq!(
        refusal("CRON_TZ=Asia/Shanghai 0 2 * * *"),
        "`CRON_TZ=Asia/Shanghai` does not belong in the cron text; write `timezone:` beside it"
    );
}

#[test]
fn a_nickname_without_a_time_is_refused_with_the_reason() {
    assert_eq!(refusal("@every 10m"), "`@every` is not a cron text; write an interval, such as `every: 10m`");
    assert_eq!(
        refusal("@reboot"),
        "`@reboot` names no time, and a fleet has no single start; expected such as `@hourly`"
    );
    assert_eq!(refusal("@dayly"), "unknown nickname `@dayly`; did you mean @daily?");
    assert!(refusal("@sometimes").contains("expected @hourly"));
}

#[test]
fn a_schedule_is_shown_as_it_was_written() {
    assert_eq!(utc(" 0  2 * * MON ").to_string(), "0  2 * * MON");
    assert_eq!(Schedule::every(Duration::from_secs(600)).unwrap().to_string(), "every 10m");
    let once = Schedule::at("2026-08-01T09:00:00+08:00").unwrap();
    assert_eq!(once.to_string(), "2026-08-01T09:00:00+08:00");
    assert_eq!(once.describe(), "once at 2026-08-01T09:00:00+08:00");
}

#[test]
fn one_instant_fires_once() {
    let once = Schedule::at("2026-08-01T09:00:00+08:00").unwrap();
    let at = instant("2026-08-01T01:00:00Z");
    assert_eq!(once.next_after(at - Duration::from_millis(1)), Some(at));
    assert_eq!(once.next_after(at), None);
}

#[test]
fn a_schedule_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&utc("@daily"));
}
