//! W6: what one more task, step, schedule or worker costs when there are already many: time per unit by size. Each
//! curve has servers of its own, so that what one leaves behind burdens no other.

mod curve;
mod dag;
mod depth;
mod schedules;
mod workers;

use crate::arguments::Arguments;
use crate::catalogue::{EMBEDDED, MAIN};
use crate::embedded::Embedded;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::report::Report;

/// Measures all curves; on the embedded server those that need no worker of their own.
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

/// Keeps the reason why a curve could not be measured, if there is one.
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
