//! `queues`: what waits; and the acts by which somebody has the workers of a pool take nothing new, and go on.

use clap::Subcommand;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::commands::acts::RecordArgs;
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List them
    List,
    /// Have the workers of a pool take nothing new; what they run goes on
    Pause {
        pool: String,
        #[command(flatten)]
        record: RecordArgs,
    },
    /// Let the workers of a paused pool go on
    Resume {
        pool: String,
        #[command(flatten)]
        record: RecordArgs,
    },
}

/// Runs a command about queues.
pub(crate) async fn run(common: &Common, command: QueuesCommand) -> Result<(), CliError> {
    let client = Client::of(common)?;
    match command {
        QueuesCommand::List => list(&client, common).await,
        QueuesCommand::Pause { pool, record } => act(&client, common, &pool, "pause", record).await,
        QueuesCommand::Resume { pool, record } => act(&client, common, &pool, "resume", record).await,
    }
}

async fn list(client: &Client, common: &Common) -> Result<(), CliError> {
    let columns = [
        ("POOL", "pool"),
        ("READY", "ready"),
        ("CONSUMERS", "consumers"),
        ("SLOTS", "slots"),
        ("REASON", "reason"),
    ];
    let answer = client.get("/api/v1/queues").await?;
    let queues = answer["queues"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    output::list(common.output, queues, &columns);
    Ok(())
}

async fn act(
    client: &Client,
    common: &Common,
    pool: &str,
    deed: &str,
    record: RecordArgs,
) -> Result<(), CliError> {
    let body = Value::Object(record.fields().collect());
    let answer = client.post(&format!("/api/v1/queues/{}/{deed}", segment(pool)), &body).await?;
    output::one(common.output, &answer, answer["done"].as_str().unwrap_or_default());
    Ok(())
}
