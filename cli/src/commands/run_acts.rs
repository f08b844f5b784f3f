//! `runs pause`, `resume` and `priority`: what people do to a run as a whole.

use clap::Args;
use millrace_domain::Priority;
use serde_json::{Value, json};

use crate::client::{Client, run_path};
use crate::commands::acts::RecordArgs;
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct RunActArgs {
    #[command(flatten)]
    run: RunIdArgs,
    #[command(flatten)]
    record: RecordArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PriorityArgs {
    /// Its id, or the beginning of it when no other run's begins so
    #[arg(required_unless_present = "last")]
    id: Option<String>,
    /// P0 (urgent), P1, P2, P3 (idle), or 0-9
    priority: Option<String>,
    /// The run that was created last, and is no step of another, in place of its id
    #[arg(long, conflicts_with = "priority")]
    last: bool,
    #[command(flatten)]
    record: RecordArgs,
}

impl PriorityArgs {
    /// The run that is meant, and its priority.
    fn split(self) -> Result<(RunIdArgs, Priority, RecordArgs), CliError> {
        let (id, priority) = if self.last { (None, self.id) } else { (self.id, self.priority) };
        let priority = priority
            .ok_or_else(|| CliError::Usage("which priority? millrace runs priority ID P0".to_owned()))?;
        let priority: Priority =
            priority.parse().map_err(|error| CliError::Usage(format!("priority: {error}")))?;
        Ok((RunIdArgs::new(id, self.last), priority, self.record))
    }
}

/// Pauses a run.
pub(super) async fn pause(client: &Client, common: &Common, args: RunActArgs) -> Result<(), CliError> {
    act(client, common, &args.run, args.record, "pause", None).await
}

/// Lets a paused run go on.
pub(super) async fn resume(client: &Client, common: &Common, args: RunActArgs) -> Result<(), CliError> {
    act(client, common, &args.run, args.record, "resume", None).await
}

/// Gives a run another priority.
pub(super) async fn priority(client: &Client, common: &Common, args: PriorityArgs) -> Result<(), CliError> {
    let (run, priority, record) = args.split()?;
    let priority = ("priority".to_owned(), json!(priority));
    act(client, common, &run, record, "priority", Some(priority)).await
}

async fn act(
    client: &Client,
    common: &Common,
    run: &RunIdArgs,
    record: RecordArgs,
    deed: &str,
    more: Option<(String, Value)>,
) -> Result<(), CliError> {
    let id = run_id::find(client, run).await?;
    let body = Value::Object(record.fields().chain(more).collect());
    let answer = client.post(&format!("{}/{deed}", run_path(&id)), &body).await?;
    let mut text = answer["done"].as_str().unwrap_or_default().to_owned();
    let children: Vec<&str> =
        answer["children"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !children.is_empty() {
        text.push_str("\nruns that are steps of it are runs of their own, and go on:");
        children.iter().for_each(|child| text.push_str(&format!("\n  {child}")));
    }
    output::one(common.output, &answer, &text);
    Ok(())
}
