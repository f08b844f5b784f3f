//! `workers` and `queues`: who works, and what waits.

use serde_json::Value;

use crate::args::Common;
use crate::error::CliError;
use crate::output;

/// Lists the workers.
pub(crate) async fn workers(common: Common) -> Result<(), CliError> {
    let columns = [
        ("ID", "id"),
        ("HOST", "host"),
        ("POOLS", "pools"),
        ("SLOTS", "slots"),
        ("RUNNING", "running"),
        ("STATE", "state"),
        ("SINCE", "started_at"),
    ];
    show(common, "workers", &columns).await
}

/// Lists the queues.
pub(crate) async fn queues(common: Common) -> Result<(), CliError> {
    let columns = [
        ("POOL", "pool"),
        ("READY", "ready"),
        ("CONSUMERS", "consumers"),
        ("SLOTS", "slots"),
        ("REASON", "reason"),
    ];
    show(common, "queues", &columns).await
}

async fn show(common: Common, what: &str, columns: &[(&str, &str)]) -> Result<(), CliError> {
    let answer = super::client(&common)?.get(&format!("/api/v1/{what}")).await?;
    output::list(common.output, answer[what].as_array().map_or(&[] as &[Value], Vec::as_slice), columns);
    Ok(())
}
