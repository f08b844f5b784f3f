//! How many schedules are stored: what one more costs to store and to keep, and what becomes of those that are due.

use super::curve::sizes;
use crate::api::Api;
use crate::failure::Failure;
use crate::program::Program;
use crate::report::Report;
use crate::schedules::{fire, store_idle};

/// The number of fires in one second, at each size.
const DUE: usize = 500;

/// Measures the time and the memory for each schedule, by how many are stored.
pub(super) async fn grow(
    api: &Api,
    program: &Program,
    column: &'static str,
    most: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut stored, mut before_mb) = (0, None);
    for size in sizes(most) {
        let speed = store_idle(api, stored..size).await?;
        report.note_growth("store a schedule, so many stored", column, size, "µs/schedule", 1e6 / speed);
        let fires = fire(api, 0..DUE, speed).await?;
        let wrong = fires.early + fires.twice + fires.missing;
        if wrong > 0 {
            return Err(format!("{wrong} fires were early, twice or missing with {size} stored").into());
        }
        let cost = fires.last * 1e3 / DUE as f64;
        report.note_growth("start what is due, so many stored", column, size, "µs/fire", cost);
        // The first thousand pays for buffers too: only what comes on top of it is by the schedule.
        let mb = program.resident_mb();
        if let Some(before_mb) = before_mb.replace(mb) {
            let kb = (mb - before_mb) * 1024.0 / (size - stored) as f64;
            report.note_growth("memory of the process, so many stored", column, size, "kB/schedule", kb);
        }
        stored = size;
    }
    Ok(())
}
