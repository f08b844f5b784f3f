//! Time zones by IANA name, from the rules built into the program: every producer of one release agrees on
//! them, and nothing is read from the machine. New rules come with a new release.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Timestamp;

/// The longest name, in bytes: no IANA name is near as long.
const MAX_NAME_BYTES: usize = 64;

/// The least likeness of two names, from 0 to 1, for one to be offered in place of the other.
const ALIKE: f64 = 0.9;

/// The cities that people look for and that have no zone of their own.
const CITIES: [(&str, &str); 6] = [
    ("beijing", "Asia/Shanghai"),
    ("shenzhen", "Asia/Shanghai"),
    ("mumbai", "Asia/Kolkata"),
    ("delhi", "Asia/Kolkata"),
    ("san_francisco", "America/Los_Angeles"),
    ("washington", "America/New_York"),
];

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone that exists, such as `Asia/Shanghai` or `UTC`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    rules: TimeZone,
}

impl Zone {
    /// The zone UTC.
    pub fn utc() -> Self {
        Self { rules: TimeZone::UTC }
    }

    /// Finds a zone by its IANA name; upper and lower case are alike.
    ///
    /// # Errors
    ///
    /// A fragment that names the text and, where one is near, the zone that was probably meant.
    pub fn parse(name: &str) -> Result<Self, String> {
        if name.len() > MAX_NAME_BYTES {
            return Err(format!(
                "time zone of {} bytes is too long; expected an IANA name such as Asia/Shanghai",
                name.len()
            ));
        }
        match ZONES.get(name) {
            Ok(rules) if !rules.is_unknown() => Ok(Self { rules }),
            _ => Err(unknown(name)),
        }
    }

    /// The rules of the zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.rules
    }

    /// The local time of an instant, with offset and name: `2026-03-01T02:00:00+08:00[Asia/Shanghai]`.
    pub fn local(&self, instant: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(instant.as_millis()) {
            Ok(at) => at.to_zoned(self.rules.clone()).to_string(),
            Err(_) => instant.to_string(),
        }
    }

    /// The IANA name as the database spells it.
    pub fn name(&self) -> &str {
        self.rules.iana_name().unwrap_or("UTC")
    }
}

fn unknown(name: &str) -> String {
    if name.is_empty() {
        return "time zone is empty; expected an IANA name such as Asia/Shanghai, or UTC".to_owned();
    }
    if name.starts_with(['+', '-']) {
        return format!(
            "unknown time zone `{name}`; expected an IANA name such as Asia/Shanghai, not an offset"
        );
    }
    if name.len() <= 5 && name.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return format!(
            "unknown time zone `{name}`: an abbreviation can mean several zones; expected an IANA name such as Asia/Shanghai"
        );
    }
    match nearest(name) {
        Some(near) => format!("unknown time zone `{name}`; did you mean {near}?"),
        None => format!("unknown time zone `{name}`; expected an IANA name such as Asia/Shanghai, or UTC"),
    }
}

/// The zone that was probably meant: by the whole name, or by the city alone.
fn nearest(name: &str) -> Option<String> {
    let wanted = name.to_lowercase().replace(' ', "_");
    let city = last_part(&wanted);
    if let Some((_, zone)) = CITIES.iter().find(|(known, _)| *known == city) {
        return Some((*zone).to_owned());
    }
    let mut best: Option<(f64, String)> = None;
    for zone in ZONES.available() {
        let zone = zone.as_str();
        let lower = zone.to_lowercase();
        let alike = if wanted.contains('/') {
            strsim::jaro_winkler(&wanted, &lower).min(strsim::jaro_winkler(city, last_part(&lower)))
        } else {
            strsim::jaro_winkler(&wanted, last_part(&lower))
        };
        if alike >= ALIKE && best.as_ref().is_none_or(|(most, _)| alike > *most) {
            best = Some((alike, zone.to_owned()));
        }
    }
    best.map(|(_, zone)| zone)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_whatever_its_case_and_keeps_its_proper_name() {
        assert_eq!(Zone::parse("asia/shanghai").unwrap().name(), "Asia/Shanghai");
        assert_eq!(
            Zone::parse("America/Argentina/Buenos_Aires").unwrap().name(),
            "America/Argentina/Buenos_Aires"
        );
        assert_eq!(Zone::parse("utc").unwrap(), Zone::utc());
        assert_eq!(Zone::utc().name(), "UTC");
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_one_that_was_probably_meant() {
        for (wrong, right) in [
            ("Asia/Shangai", "Asia/Shanghai"),
            ("Asia/Beijing", "Asia/Shanghai"),
            ("Shanghai", "Asia/Shanghai"),
            ("America/New York", "America/New_York"),
            ("Europe/Pari", "Europe/Paris"),
            ("Amercia/Chicago", "America/Chicago"),
        ] {
            let expected = format!("unknown time zone `{wrong}`; did you mean {right}?");
            assert_eq!(Zone::parse(wrong).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_is_near_to_no_zone_gets_no_guess() {
        for wrong in ["", "+08:00", "PST", "Mars/Olympus", "Etc/Unknown", "../../etc/passwd", &"x".repeat(65)]
        {
            let problem = Zone::parse(wrong).unwrap_err();
            assert!(problem.contains("expected an IANA name"), "{problem}");
            assert!(!problem.contains("did you mean"), "{problem}");
        }
    }
}
