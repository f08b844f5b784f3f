//! `queues`: what waits.

use clap::Subcommand;
use serde_json::Value;

use crate::client::Client;
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List them
    List,
}

/// Lists the queues.
pub(crate) async fn run(common: &Common) -> Result<(), CliError> {
    let columns = [
        ("POOL", "pool"),
        ("READY", "ready"),
        ("CONSUMERS", "consumers"),
        ("SLOTS", "slots"),
        ("REASON", "reason"),
    ];
    let answer = Client::of(common)?.get("/api/v1/queues").await?;
    let queues = answer["queues"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    output::list(common.output, queues, &columns);
    Ok(())
}
