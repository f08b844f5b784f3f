//! `run`: a run of a file, here and now, or on a named producer.

use millrace_domain::definition::Parsed;
use millrace_producer::Access;
use millrace_runtime::Shutdown;
use serde_json::json;

use crate::args::{Common, RunArgs, Servers};
use crate::client::Client;
use crate::commands::{params, validate};
use crate::embedded::Embedded;
use crate::error::CliError;
use crate::render;

/// Starts a run of a file and waits for its end.
pub(crate) async fn run(common: Common, args: RunArgs) -> Result<(), CliError> {
    let settings = common.settings(&Servers::default())?;
    let parsed = pick(validate::load(&args.file)?, args.workflow.as_deref())?;
    let params = params::typed(&args.params, &parsed.workflow)?;
    let base_dir = validate::base_dir(&args.file);
    let body = json!({"definition": parsed.source, "params": params, "base_dir": base_dir});
    if let Some(client) = super::named_client(&settings)? {
        return start(&client, &common, &args, &body).await;
    }
    let shutdown = Shutdown::new();
    let embedded = Embedded::start(None, Access::default(), &args.execution, shutdown).await?;
    let result = start(&embedded.client(), &common, &args, &body).await;
    tokio::select! {
        () = embedded.finish() => result,
        // Not again: the guardian kills what is left.
        _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted("interrupted twice".to_owned())),
    }
}

async fn start(
    client: &Client,
    common: &Common,
    args: &RunArgs,
    body: &serde_json::Value,
) -> Result<(), CliError> {
    let answer = client.post("/api/v1/runs", body).await?;
    let id = answer["run_id"].as_str().unwrap_or_default();
    render::wait(client, id, common.output, args.follow, args.wait_timeout).await
}

/// The workflow to run.
fn pick(mut parsed: Vec<Parsed>, name: Option<&str>) -> Result<Parsed, CliError> {
    let names: Vec<String> = parsed.iter().map(|one| one.workflow.name.to_string()).collect();
    let place = match name {
        Some(name) => names.iter().position(|known| known == name),
        None if parsed.len() == 1 => Some(0),
        None => None,
    };
    match place {
        Some(place) => Ok(parsed.swap_remove(place)),
        None => Err(CliError::Usage(format!(
            "the file has the workflows {}: name one with --workflow",
            names.join(", ")
        ))),
    }
}
