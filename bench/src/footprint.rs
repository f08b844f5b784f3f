//! W5: memory and start-up time of processes that nothing has asked anything yet, and memory after the load.

use std::sync::Arc;
use std::time::Duration;

use crate::catalogue::EMBEDDED;
use crate::embedded::Embedded;
use crate::failure::Failure;
use crate::fleet::{Fleet, Servers};
use crate::report::Report;

/// The pause between the start of a process and the first look at its memory.
const SETTLE: Duration = Duration::from_secs(2);

/// The prefix of the names of queues and keys of processes that do nothing.
const PREFIX: &str = "idle";

/// Measures processes that are started for this alone. From the second time on their queues and keys are there already.
pub(crate) async fn idle(
    servers: &Arc<Servers>,
    sync: &'static str,
    report: &mut Report,
) -> Result<(), Failure> {
    let fleet = Fleet::on(Arc::clone(servers), PREFIX).await?;
    tokio::time::sleep(SETTLE).await;
    report.note("w5.producer_start", sync, fleet.producer_start_ms);
    report.note("w5.worker_start", sync, fleet.worker_start_ms);
    report.note("w5.producer_idle", sync, fleet.producer.resident_mb());
    if let Some(worker) = fleet.workers.first() {
        report.note("w5.worker_idle", sync, worker.resident_mb());
    }
    fleet.stop().await
}

/// Measures an embedded server that is started for this alone, on an empty folder.
pub(crate) async fn idle_embedded(report: &mut Report) -> Result<(), Failure> {
    let embedded = Embedded::start().await?;
    tokio::time::sleep(SETTLE).await;
    report.note("w5.dev_start", EMBEDDED, embedded.start_ms);
    report.note("w5.dev_idle", EMBEDDED, embedded.program.resident_mb());
    Ok(())
}

/// Measures the memory of processes that have worked.
pub(crate) fn loaded(fleet: &Fleet, embedded: Option<&Embedded>, sync: &'static str, report: &mut Report) {
    report.note("w5.producer_loaded", sync, fleet.producer.resident_mb());
    report.note("w5.producer_peak", sync, fleet.producer.peak_mb());
    if let Some(worker) = fleet.workers.first() {
        report.note("w5.worker_loaded", sync, worker.resident_mb());
        report.note("w5.worker_peak", sync, worker.peak_mb());
    }
    if let Some(embedded) = embedded {
        report.note("w5.dev_loaded", EMBEDDED, embedded.program.resident_mb());
        report.note("w5.dev_peak", EMBEDDED, embedded.program.peak_mb());
    }
}
