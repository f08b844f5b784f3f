//! Durations as definitions write them, on the command line and for people.

use std::time::Duration;

/// Parses `500ms 30s 10m 2h 7d`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    millrace_domain::quantity::parse_duration(text).map_err(|e| e.to_string())
}

/// Parses a duration that is not zero.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    millrace_domain::quantity::parse_positive_duration(text).map_err(|e| e.to_string())
}

/// Writes how long something took: `12ms`, `3.4s`, `2m05s`, `1h02m`.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_shown_coarsely() {
        let shown = |millis| show(Duration::from_millis(millis));
        assert_eq!(
            [shown(12), shown(3_400), shown(125_000), shown(3_720_000)],
            ["12ms", "3.4s", "2m05s", "1h02m"]
        );
    }
}
