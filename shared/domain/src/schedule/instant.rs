//! One instant, given once: RFC 3339 with an offset. A local time without one is refused, since it would mean
//! another instant wherever it is read.

use crate::Timestamp;

const MAX_TEXT_BYTES: usize = 64;
const EXAMPLE: &str = "2026-08-01T09:00:00+08:00";

/// An instant and the text that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instant {
    text: String,
    at: Timestamp,
}

impl Instant {
    /// Reads an instant. Anything finer than a millisecond is dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "instant of {} bytes is too long; expected one such as {EXAMPLE}",
                text.len()
            ));
        }
        if text.parse::<jiff::Timestamp>().is_err() && text.parse::<jiff::civil::DateTime>().is_ok() {
            return Err(format!(
                "`{text}` does not say which time zone it is in; expected an offset or Z at its end, such as {EXAMPLE}"
            ));
        }
        if !is_rfc_3339(text) {
            return Err(format!(
                "`{text}` is not an instant; expected RFC 3339 with an offset, such as {EXAMPLE}"
            ));
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => {
                let at = instant.as_nanosecond().div_euclid(1_000_000);
                let at = i64::try_from(at).map_err(|_| format!("`{text}` is out of range"))?;
                Ok(Self { text: text.to_owned(), at: Timestamp::from_millis(at) })
            }
            Err(error) => Err(format!("`{text}` is not an instant: {error}; expected one such as {EXAMPLE}")),
        }
    }

    /// The instant.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// The text as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Whether the text has the shape of RFC 3339; the parser that follows also reads dialects of it.
fn is_rfc_3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let offset_starts = bytes.len().saturating_sub(6);
    at(4) == b'-'
        && at(7) == b'-'
        && matches!(at(10), b'T' | b't' | b' ')
        && at(13) == b':'
        && at(16) == b':'
        && (matches!(bytes.last(), Some(b'Z' | b'z'))
            || (matches!(at(offset_starts), b'+' | b'-') && at(offset_starts + 3) == b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_decides_the_instant() {
        let at = |text| Instant::parse(text).unwrap().at().to_string();
        assert_eq!(at("2026-08-01T09:00:00+08:00"), "2026-08-01T01:00:00.000Z");
        assert_eq!(at(" 2026-08-01T09:00:00Z "), "2026-08-01T09:00:00.000Z");
        assert_eq!(at("2026-08-01 09:00:00.1239z"), "2026-08-01T09:00:00.123Z");
        assert_eq!(at("1960-01-01T00:00:00.0001-05:30"), "1960-01-01T05:30:00.000Z");
    }

    #[test]
    fn a_local_time_is_refused_because_it_names_no_instant() {
        for local in ["2026-08-01T09:00:00", "2026-08-01 09:00", "2026-08-01"] {
            let problem = Instant::parse(local).unwrap_err();
            assert!(problem.contains("does not say which time zone"), "{problem}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "tomorrow",
            "2026-02-30T09:00:00Z",
            "2026-08-01T24:00:00Z",
            "2026-08-01T09+08",
            "20260801T090000Z",
            "2026-08-01T09:00:00+08:00[Asia/Shanghai]",
            "1785546000",
        ] {
            let problem = Instant::parse(wrong).unwrap_err();
            assert!(problem.contains("is not an instant"), "{problem}");
        }
        assert!(Instant::parse(&"9".repeat(65)).unwrap_err().contains("too long"));
    }
}
