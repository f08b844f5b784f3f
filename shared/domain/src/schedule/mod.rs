//! When runs start by themselves.

use std::time::Duration;

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {}

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(jiff::tz::TimeZone);

#[expect(missing_docs, reason = "a stand-in with the signatures of the real module")]
impl Schedule {
    pub fn parse_cron(text: &str, _zone: &Zone) -> Result<Self, String> {
        match text.split_whitespace().count() {
            5 | 6 => Ok(Self {}),
            1 if text.starts_with('@') => Ok(Self {}),
            n => Err(format!("cron {text:?} has {n} fields: expected 5")),
        }
    }
    pub fn every(_period: Duration) -> Result<Self, String> {
        Ok(Self {})
    }
    pub fn at(_text: &str) -> Result<Self, String> {
        Ok(Self {})
    }
}

#[expect(missing_docs, reason = "a stand-in with the signatures of the real module")]
impl Zone {
    pub fn parse(text: &str) -> Result<Self, String> {
        jiff::tz::TimeZone::get(text).map(Self).map_err(|_| format!("unknown time zone {text:?}"))
    }
    pub fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }
    pub fn time_zone(&self) -> &jiff::tz::TimeZone {
        &self.0
    }
}
