//! `workers`: who works.

use clap::Subcommand;
use serde_json::Value;

use crate::client::Client;
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List them
    List,
}

/// Lists the workers.
pub(crate) async fn run(common: &Common) -> Result<(), CliError> {
    let columns = [
        ("ID", "id"),
        ("HOST", "host"),
        ("POOLS", "pools"),
        ("SLOTS", "slots"),
        ("RUNNING", "running"),
        ("STATE", "state"),
        ("SINCE", "started_at"),
    ];
    let answer = Client::of(common)?.get("/api/v1/workers").await?;
    let workers = answer["workers"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    output::list(common.output, workers, &columns);
    Ok(())
}
