//! W6: what one more task, step, schedule or worker costs when there are already many: time per unit by size. Each
//! curve has servers of its own, so that what one leaves behind burdens no other.

mod dag;
mod depth;
mod schedules;
mod workers;

use std::time::Duration;

use crate::Failure;
use crate::arguments::Arguments;
use crate::embedded::Embedded;
use crate::fleet::Fleet;
use crate::report::{EMBEDDED, MAIN, Report};

/// All curves; on the embedded server those that need no worker of their own.
pub(crate) async fn all(arguments: &Arguments, report: &mut Report) {
    report.round = 1;
    let done = on_depth(arguments, report).await;
    note("queue depth", done, report);
    let done = on_dags(arguments, report).await;
    note("DAG", done, report);
    let done = on_schedules(arguments, report).await;
    note("schedules", done, report);
    let done = on_workers(arguments, report).await;
    note("workers", done, report);
}

fn note(what: &str, done: Result<(), Failure>, report: &mut Report) {
    if let Err(why) = done {
        report.note_failure(what, &why);
    }
}

async fn on_depth(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    depth::grow(&mut Fleet::start(MAIN).await?, arguments.growth_max, report).await
}

async fn on_dags(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let fleet = Fleet::start(MAIN).await?;
    dag::grow(&fleet.api, MAIN, arguments.growth_max, report).await?;
    drop(fleet);
    let embedded = Embedded::start().await?;
    dag::grow(&embedded.api, EMBEDDED, arguments.growth_max, report).await
}

async fn on_schedules(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let fleet = Fleet::start(MAIN).await?;
    schedules::grow(&fleet.api, &fleet.producer, MAIN, arguments.growth_max, report).await?;
    drop(fleet);
    let embedded = Embedded::start().await?;
    schedules::grow(&embedded.api, &embedded.program, EMBEDDED, arguments.growth_max, report).await
}

async fn on_workers(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    workers::grow(&mut Fleet::start(MAIN).await?, arguments.tasks(), report).await
}

/// 1,000 and its multiples by ten, up to this.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(1_000), |size| Some(size * 10)).take_while(move |size| *size <= most)
}

/// How long so many units may take: a thousand a second, and a minute.
fn bound(units: usize) -> Duration {
    Duration::from_secs(60 + units as u64 / 1_000)
}

/// Microseconds for each of so many units.
fn microseconds(took: Duration, units: usize) -> f64 {
    took.as_secs_f64() * 1e6 / units.max(1) as f64
}
