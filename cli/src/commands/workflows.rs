//! `workflows`: stored definitions.

use clap::Subcommand;
use millrace_domain::definition;
use serde_json::json;

use crate::client::{Client, segment};
use crate::commands::params::{self, Pair};
use crate::error::CliError;
use crate::options::{Common, FollowArgs};
use crate::render::Wait;
use crate::{output, render};

#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowsCommand {
    /// List them
    List,
    /// Show one with its definition
    Get {
        name: String,
        /// Another version than the current one
        #[arg(long)]
        version: Option<u32>,
    },
    /// Start a run
    Trigger {
        name: String,
        /// A param of the run
        #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
        params: Vec<Pair>,
        /// Idempotency key
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        follow: FollowArgs,
    },
    /// Let its schedules rest
    Pause { name: String },
    /// Let its schedules go on
    Resume { name: String },
    /// Forget it; its runs go on
    Delete { name: String },
}

/// Runs a command about stored workflows.
pub(crate) async fn run(common: &Common, command: WorkflowsCommand) -> Result<(), CliError> {
    let client = Client::of(common)?;
    let path = |name: &str| format!("/api/v1/workflows/{}", segment(name));
    match command {
        WorkflowsCommand::List => {
            let answer = client.get("/api/v1/workflows").await?;
            let columns = [
                ("NAME", "name"),
                ("VERSION", "version"),
                ("STEPS", "steps"),
                ("SCHEDULES", "schedules"),
                ("NEXT FIRE", "next_fire_local"),
                ("PAUSED", "paused"),
            ];
            output::list(common.output, answer["workflows"].as_array().map_or(&[], Vec::as_slice), &columns);
        }
        WorkflowsCommand::Get { name, version } => {
            let version = version.map(|version| format!("?version={version}")).unwrap_or_default();
            let answer = client.get(&format!("{}{version}", path(&name))).await?;
            output::one(common.output, &answer, answer["definition"].as_str().unwrap_or_default().trim_end());
        }
        WorkflowsCommand::Trigger { name, params, key, follow } => {
            let params = typed(&client, &path(&name), &params).await?;
            let url = format!("{}/trigger", path(&name));
            let answer = client.post_keyed(&url, &json!({ "params": params }), key.as_deref()).await?;
            let id = answer["run_id"].as_str().unwrap_or_default();
            if follow.follow {
                return render::wait(&client, id, Wait::of(common.output, &follow)).await;
            }
            output::one(common.output, &answer, id);
        }
        WorkflowsCommand::Pause { name } => {
            let answer = client.post(&format!("{}/pause", path(&name)), &json!({})).await?;
            output::one(common.output, &answer, &format!("{name} is paused"));
        }
        WorkflowsCommand::Resume { name } => {
            let answer = client.post(&format!("{}/resume", path(&name)), &json!({})).await?;
            output::one(common.output, &answer, &format!("{name} goes on"));
        }
        WorkflowsCommand::Delete { name } => {
            let answer = client.delete(&path(&name)).await?;
            output::one(common.output, &answer, &format!("{name} is deleted"));
        }
    }
    Ok(())
}

/// The params with the types that the stored definition declares.
async fn typed(client: &Client, path: &str, given: &[Pair]) -> Result<definition::Params, CliError> {
    if given.is_empty() {
        return Ok(definition::Params::new());
    }
    let stored = client.get(path).await?;
    let source = stored["definition"].as_str().unwrap_or_default();
    match definition::parse_stored(source) {
        Ok(workflow) => params::typed(given, &workflow),
        Err(_) => Ok(params::texts(given)),
    }
}
