//! `runs outputs`: what a step gave, in full.

use clap::Args;
use serde_json::Value;

use crate::client::{Client, run_path, segment};
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct OutputsArgs {
    #[command(flatten)]
    run: RunIdArgs,
    /// Of this step
    #[arg(long, value_name = "NAME")]
    step: String,
    /// Only this one: a text as it is, anything else as JSON
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

/// Prints the outputs of a step as JSON, or one of them.
pub(super) async fn run(client: &Client, common: &Common, args: &OutputsArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let mut answer = client.get(&format!("{}/steps/{}/outputs", run_path(&id), segment(&args.step))).await?;
    let outputs = answer["outputs"].take();
    let value = match &args.key {
        None => &outputs,
        Some(key) => outputs.get(key).ok_or_else(|| no_such_output(&args.step, key, &outputs))?,
    };
    let text = value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned);
    output::one(common.output, value, &text);
    Ok(())
}

fn no_such_output(step: &str, key: &str, outputs: &Value) -> CliError {
    let there: Vec<&str> = outputs.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let there = if there.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its outputs: {}", there.join(", "))
    };
    CliError::NotFound(format!("step {step} has no output {key:?}; {there}"))
}
