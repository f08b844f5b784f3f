//! Cron texts that may be from Quartz, whose weekdays are numbered from Sunday as 1: here, and in a crontab, 1 is
//! Monday. What gives them away is the `?`.

use super::unit::{WEEKDAYS, number};

/// Refuses numbers of weekdays beside a `?`: they could mean either day, since other dialects have the `?` too. 0 is
/// in no text of Quartz.
pub(super) fn refuse_numbers(fields: &[&str]) -> Result<(), String> {
    let [times @ .., "?", month, weekday] = fields else { return Ok(()) };
    let Some(names) = names(weekday) else { return Ok(()) };
    let times = times.join(" ");
    Err(format!(
        "weekday `{weekday}`: in Quartz, where the `?` is from, 1 is Sunday, and here it is Monday; write \
         `{times} * {month} {names}` for Quartz's days, and `{times} * {month} {weekday}` for those of a crontab"
    ))
}

/// The weekdays of `text` by their names, when its numbers could be Quartz's: 1 for Sunday to 7 for Saturday.
fn names(text: &str) -> Option<String> {
    let mut any = false;
    let mut parts = Vec::new();
    for part in text.split(',') {
        let (days, rest) = part.split_at(part.find(['/', '#', 'L', 'l']).unwrap_or(part.len()));
        let mut names = Vec::new();
        for day in days.split('-') {
            names.push(match number(day) {
                Some(day) => {
                    any = true;
                    *WEEKDAYS.get(usize::from(day.checked_sub(1)?))?
                }
                None => day,
            });
        }
        parts.push(names.join("-") + rest);
    }
    any.then(|| parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_quartz_are_told_by_their_names() {
        for (text, expected) in [
            ("1", Some("SUN")),
            ("2-6", Some("MON-FRI")),
            ("7,MON", Some("SAT,MON")),
            ("6#3", Some("FRI#3")),
            ("6L", Some("FRIL")),
            ("2/2", Some("MON/2")),
            ("+2", None),
            ("0", None),
            ("0-6", None),
            ("MON-FRI", None),
            ("*/2", None),
            ("?", None),
        ] {
            assert_eq!(names(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn both_readings_are_offered() {
        let fields = ["0", "30", "9", "?", "*", "2-6"];
        let expected = "weekday `2-6`: in Quartz, where the `?` is from, 1 is Sunday, and here it is Monday; write \
                        `0 30 9 * * MON-FRI` for Quartz's days, and `0 30 9 * * 2-6` for those of a crontab";
        assert_eq!(refuse_numbers(&fields), Err(expected.to_owned()));
        assert_eq!(refuse_numbers(&["0", "9", "?", "*", "MON-FRI"]), Ok(()));
        assert_eq!(refuse_numbers(&["0", "9", "*", "*", "2-6"]), Ok(()));
    }
}
