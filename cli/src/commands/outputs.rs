//! `runs outputs`: what a run hands on, or one of its steps gave, in full.

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
    /// Of this step, rather than of the run as a whole
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Only this one: a text as it is, anything else as JSON
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

/// Prints the outputs of a run or of a step as JSON, or one of them.
pub(super) async fn run(client: &Client, common: &Common, args: &OutputsArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let (of, outputs) = match &args.step {
        None => (format!("run {id}"), outputs_of_run(client, &id).await?),
        Some(step) => {
            let path = format!("{}/steps/{}/outputs", run_path(&id), segment(step));
            (format!("step {step}"), client.get(&path).await?["outputs"].take())
        }
    };
    let value = match &args.key {
        None => &outputs,
        Some(key) => outputs.get(key).ok_or_else(|| no_such_output(&of, key, &outputs))?,
    };
    let text = value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned);
    output::one(common.output, value, &text);
    Ok(())
}

/// What a run hands on: nothing, where its workflow has no `outputs`.
async fn outputs_of_run(client: &Client, id: &str) -> Result<Value, CliError> {
    let mut run = client.get(&run_path(id)).await?;
    match run["state"].as_str().unwrap_or_default() {
        "succeeded" => {
            Ok(Value::Object(run["outputs"].as_object_mut().map(std::mem::take).unwrap_or_default()))
        }
        state => {
            Err(CliError::NotFound(format!("run {id} is {state}: only a run that has succeeded has outputs")))
        }
    }
}

fn no_such_output(of: &str, key: &str, outputs: &Value) -> CliError {
    let there: Vec<&str> = outputs.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let there = if there.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its outputs: {}", there.join(", "))
    };
    CliError::NotFound(format!("{of} has no output {key:?}; {there}"))
}
