//! Every instant of a schedule is fired once, or missed with a word about it.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::evidence::Evidence;

/// What a producer logs when it finds that instants are too late to fire, and how many.
const MISSED: &str = "fires were missed";
const COUNT: &str = "missed=";

pub(super) fn judge(evidence: &Evidence<'_>) -> Check {
    let mut check = Check::new("an instant fires once");
    // By workflow and second: the runs that stand for it.
    let mut fired: BTreeMap<(&str, i64), BTreeSet<&str>> = BTreeMap::new();
    for (run, (workflow, _)) in &evidence.states.runs {
        if !workflow.starts_with("tick") {
            continue;
        }
        match evidence.marks.get(run).map(|marks| second(&marks[0].instant)) {
            Some(Some(second)) => {
                fired.entry((workflow, second)).or_default().insert(run);
            }
            _ => check.expect(false, || format!("{workflow}: run {run} left no mark of its instant")),
        }
    }
    for ((workflow, second), runs) in &fired {
        check.expect(runs.len() == 1, || format!("{workflow}: second {second} is {runs:?}"));
    }
    for number in 0..evidence.schedules {
        let workflow = format!("tick{number}");
        let seconds: Vec<i64> =
            fired.keys().filter(|(name, _)| *name == workflow).map(|(_, second)| *second).collect();
        check.expect(!seconds.is_empty(), || format!("{workflow} never fired"));
        let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else { continue };
        let absent = (last - first + 1) - i64::try_from(seconds.len()).unwrap_or(0);
        let missed = missed(evidence, &workflow);
        check.evaluated += (last - first).unsigned_abs();
        check.expect(absent <= missed, || {
            format!("{workflow}: {absent} instants did not fire, and {missed} were said to be missed")
        });
    }
    check
}

/// Counts the instants of a workflow that producers have logged as missed.
fn missed(evidence: &Evidence<'_>, workflow: &str) -> i64 {
    let lines = evidence.logs.iter().flat_map(|(_, log)| log.lines());
    let ours = lines.filter(|line| line.contains(MISSED) && line.contains(workflow));
    ours.filter_map(|line| {
        let (_, count) = line.split_once(COUNT)?;
        count.split_ascii_whitespace().next()?.parse::<i64>().ok()
    })
    .sum()
}

/// The second since 1970-01-01 of an RFC 3339 instant in UTC (days from civil, Hinnant).
fn second(instant: &str) -> Option<i64> {
    let number = |from: usize, to: usize| instant.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_count_from_1970() {
        assert_eq!(second("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(second("2024-02-29T23:59:59Z"), Some(1_709_251_199));
        assert_eq!(second("2026-11-21T06:42:32.000Z"), Some(1_795_243_352));
        assert_eq!(second("soon"), None);
    }
}
