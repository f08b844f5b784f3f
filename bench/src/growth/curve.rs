//! The points of a curve: at which sizes a unit is measured, how long that may take, and what it costs.

use std::time::Duration;

/// The sizes up to `most`: 1,000 and its multiples by ten.
pub(super) fn sizes(most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1_000), |size| Some(size * 10)).take_while(move |size| *size <= most)
}

/// How long so many units may take: a thousand a second, and a minute.
pub(super) fn bound(units: usize) -> Duration {
    Duration::from_secs(60 + units as u64 / 1_000)
}

/// The microseconds that each of so many units took.
pub(super) fn microseconds(took: Duration, units: usize) -> f64 {
    took.as_secs_f64() * 1e6 / units.max(1) as f64
}
