//! `uses: wait`: a step that lets time pass. It makes no task and holds no worker; a timer of the run ends it.

use std::time::Duration;

use serde_json::Value;

use crate::Timestamp;
use crate::quantity::parse_positive_duration;
use crate::schedule::{Instant, TimeOfDay};

/// The name under which a step uses a wait.
pub const WAIT: &str = "wait";

/// The longest wait that is given by its length.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The end of a wait, as it was written.
enum End {
    After(Duration),
    At(Timestamp),
    NextTime(TimeOfDay),
}

/// Checks the text of `for` or `until`.
///
/// # Errors
/// A fragment that says what was expected.
pub(crate) fn check(field: &str, text: &str) -> Result<(), String> {
    read(field, text).map(drop)
}

fn read(field: &str, text: &str) -> Result<End, String> {
    if field == "for" {
        return match parse_positive_duration(text) {
            Ok(duration) if duration <= LONGEST => Ok(End::After(duration)),
            Ok(_) => Err(format!("`{text}` is too long: expected at most 366d")),
            Err(error) => Err(error.to_string()),
        };
    }
    match TimeOfDay::parse(text) {
        Ok(time) => Ok(End::NextTime(time)),
        Err(_) if !text.contains('-') => {
            Err(format!("`{text}` is neither a time of day such as \"08:00\" nor an instant"))
        }
        Err(_) => Instant::parse(text).map(|instant| End::At(instant.at())),
    }
}

/// The instant at which a wait that begins `now` is over. `with` is its rendered input.
///
/// # Errors
/// A fragment that says what was expected of an expression.
pub(crate) fn until(with: &Value, now: Timestamp, zone: &jiff::tz::TimeZone) -> Result<Timestamp, String> {
    let Some((field, value)) = with.as_object().and_then(|with| with.iter().next()) else {
        return Err("expected `for` or `until`".to_owned());
    };
    let told = |why: String| format!("`{field}`: {why}");
    let text = value.as_str().ok_or_else(|| told(format!("expected a text, found {value}")))?;
    let until = match read(field, text).map_err(told)? {
        End::After(duration) => now + duration,
        End::At(instant) => instant,
        End::NextTime(time) => {
            time.next_after(now, zone).ok_or_else(|| told("there is no such time any more".to_owned()))?
        }
    };
    Ok(until)
}
