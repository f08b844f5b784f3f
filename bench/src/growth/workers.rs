//! How many workers share the tasks.

use crate::catalogue::MAIN;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::report::Report;
use crate::throughput::{NOOP, over_amqp};

/// The slots of each worker.
const CONCURRENCY: &str = "64";
const ARRAY: usize = 500;

/// Measures the time per task, by the number of workers.
pub(super) async fn grow(fleet: &mut Fleet, tasks: usize, report: &mut Report) -> Result<(), Failure> {
    fleet.stop_workers().await?;
    for size in [1, 2, 4, 8, 16] {
        while fleet.workers.len() < size {
            fleet.add_worker(&["--concurrency", CONCURRENCY]).await?;
        }
        let speed = over_amqp(fleet, NOOP, tasks, ARRAY).await?;
        report.note_growth("no-op tasks, so many workers", MAIN, size, "µs/task", 1e6 / speed);
    }
    Ok(())
}
