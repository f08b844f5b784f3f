//! Instants in recorded texts, moved, so that what was recorded long ago is of just now.

/// The digits of an instant in milliseconds, from 2023 to 2033: no other number that is recorded has so many.
const DIGITS: usize = 13;
const BEGINNINGS: [&str; 3] = ["17", "18", "19"];

/// Moves all instants in a text by so many milliseconds: every number of 13 digits that stands by itself.
pub fn moved(text: &str, by: i64) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let length = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(length);
        let is_alone = !touches(before.chars().next_back()) && !touches(after.chars().next());
        whole.push_str(before);
        match number.parse::<i64>() {
            Ok(instant)
                if is_alone
                    && number.len() == DIGITS
                    && BEGINNINGS.iter().any(|begin| number.starts_with(begin)) =>
            {
                whole.push_str(&(instant + by).to_string());
            }
            _ => whole.push_str(number),
        }
        rest = after;
    }
    whole + rest
}

/// Does a digit beside this character belong to something longer, such as an id?
fn touches(beside: Option<char>) -> bool {
    beside.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_' || c == '.')
}

/// The milliseconds since 1970-01-01 of an RFC 3339 instant in UTC with milliseconds, `2026-11-26T10:15:00.000Z`
/// (days from civil, Hinnant).
pub fn millis(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.len() != 24 || !text.ends_with('Z') || text.as_bytes()[10] != b'T' {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + number(20, 23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_moved_and_ids_epochs_and_small_numbers_are_not() {
        let text = "c|1795000000000aa|x|1795000000000|2|gpu {\"at\":1795000000001} 1795000000000000 \
                    0f-1795000000000 12 1795000000000.5 1795000000002";
        let moved = moved(text, 10);
        assert_eq!(
            moved,
            "c|1795000000000aa|x|1795000000010|2|gpu {\"at\":1795000000011} 1795000000000000 \
             0f-1795000000000 12 1795000000000.5 1795000000012"
        );
    }

    #[test]
    fn what_the_api_tells_is_read_as_an_instant() {
        assert_eq!(millis("1970-01-01T00:00:01.234Z"), Some(1_234));
        assert_eq!(millis("2026-11-21T06:42:32.001Z"), Some(1_795_243_352_001));
        assert_eq!(millis("soon"), None);
    }
}
