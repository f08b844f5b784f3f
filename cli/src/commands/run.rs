//! `run`: a run of a file, here and now, or on a named producer.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use millrace_domain::child::WORKFLOW;
use millrace_domain::definition::Parsed;
use millrace_producer::Access;
use millrace_runtime::Shutdown;
use serde_json::{Value, json};

use crate::client::{Client, run_path};
use crate::commands::params::{self, Pair};
use crate::commands::{asked, dry_run, validate};
use crate::duration;
use crate::embedded::Embedded;
use crate::error::CliError;
use crate::interrupt;
use crate::options::{Common, ExecutionArgs, PatienceArgs, Servers};
use crate::output;
use crate::render::{self, View, Wait};

/// The longest that the tasks of a run that nobody waits for any more may take to end.
const STOP_BOUND: Duration = Duration::from_secs(5);

/// How often is looked whether what a run has started and does not wait for has ended.
const OTHERS: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The workflow file, YAML or JSON
    file: PathBuf,
    /// A param of the run
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
    params: Vec<Pair>,
    /// Which workflow, when the file has several
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Show the live tree of steps and what they print
    #[arg(long, short)]
    follow: bool,
    /// Show the plan, and run nothing: which steps start together, and with what
    #[arg(long, conflicts_with_all = ["follow", "wait_timeout"])]
    dry_run: bool,
    #[command(flatten)]
    patience: PatienceArgs,
    /// Show what they print as it is: a terminal obeys whatever control codes are in it
    #[arg(long, requires = "follow")]
    raw: bool,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// Starts a run of a file and waits for its end.
pub(crate) async fn run(common: &Common, args: RunArgs) -> Result<(), CliError> {
    let settings = common.settings(&Servers::default())?;
    let file = validate::load(&args.file)?;
    // What steps of it run is in the same file, where no server has it.
    let called: Vec<Parsed> = if file.iter().any(calls) { file.clone() } else { Vec::new() };
    let parsed = pick(file, args.workflow.as_deref())?;
    let params = params::typed(&args.params, &parsed.workflow)?;
    if args.dry_run {
        return dry_run::show(common, &parsed.workflow, &params);
    }
    let base_dir = validate::base_dir(&args.file);
    let body = json!({"definition": parsed.source, "params": params, "base_dir": base_dir});
    let view = View { format: common.output, follow: args.follow, raw: args.raw };
    let how = Wait { view, bound: args.patience.wait_timeout };
    if let Some(client) = Client::named(&settings)? {
        let id = start(&client, &body).await?;
        return render::wait(&client, &id, how).await;
    }
    let may_ask = called.iter().chain([&parsed]).any(asked::may_ask);
    let shutdown = Shutdown::new();
    let pools = validate::pools(called.iter().chain([&parsed])).into_iter().collect();
    let schedules = false;
    let embedded =
        Embedded::start(None, Access::default(), &args.execution, pools, schedules, shutdown.clone()).await?;
    let client = embedded.client();
    let started = async {
        for one in &called {
            let body = json!({"definition": &*one.source, "base_dir": base_dir});
            client.post("/api/v1/workflows", &body).await?;
        }
        start(&client, &body).await
    };
    let result = match started.await {
        Ok(id) => tokio::select! {
            ended = until_all_have_ended(&client, &id, how, !called.is_empty()) => ended,
            never = asked::tell(&client), if may_ask => match never {},
            () = shutdown.begun() => CliError::of_end(&shutdown),
        }
        .map_err(|error| (error, Some(id))),
        Err(error) => Err((error, None)),
    };
    let ending = async {
        // It ends with this process, so its tasks are asked to end now.
        if let Err((CliError::Interrupted(_) | CliError::TimedOut(_), Some(id))) = &result {
            let _ = tokio::time::timeout(STOP_BOUND, stop(&client, id)).await;
        }
        embedded.finish().await;
    };
    tokio::select! {
        () = ending => CliError::of_end(&shutdown).and(result.map_err(|(error, _)| error)),
        // Not again: the guardian kills what is left.
        () = interrupt::asked() => Err(CliError::Interrupted("interrupted twice".to_owned())),
    }
}

/// Waits for the end of a run, and of those that it has started and nobody waits for: they end with this process.
async fn until_all_have_ended(
    client: &Client,
    id: &str,
    how: Wait,
    has_others: bool,
) -> Result<(), CliError> {
    let began = Instant::now();
    let ended = render::wait(client, id, how).await;
    if !has_others || matches!(ended, Err(CliError::TimedOut(_) | CliError::Interrupted(_))) {
        return ended;
    }
    let left = how.bound.map(|bound| bound.saturating_sub(began.elapsed()));
    tokio::select! {
        others = until_others_have_ended(client) => others.and(ended),
        () = interrupt::asked() => {
            Err(CliError::Interrupted("interrupted: what the run has started ends with this process".to_owned()))
        }
        () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {
            let bound = duration::show(how.bound.unwrap_or_default());
            Err(CliError::TimedOut(format!("what run {id} has started has not ended within {bound}")))
        }
    }
}

/// Waits for the end of all runs that are open, and tells how they ended.
async fn until_others_have_ended(client: &Client) -> Result<(), CliError> {
    let first = open_runs(client).await?;
    if !first.is_empty() {
        let count = first.len();
        output::note(&format!("waiting for {count} more, which the run has started and does not wait for"));
    }
    while !open_runs(client).await?.is_empty() {
        tokio::time::sleep(OTHERS).await;
    }
    for run in first.iter().filter_map(|run| run["id"].as_str()) {
        let run = client.get(&run_path(run)).await?;
        let text = |key: &str| run[key].as_str().unwrap_or_default();
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        output::note(&format!("{} {} {}{reason}", text("workflow"), text("id"), text("state")));
    }
    Ok(())
}

/// Whether any step of a workflow is a run of another one.
fn calls(one: &Parsed) -> bool {
    one.workflow.steps.iter().any(|step| step.uses == WORKFLOW)
}

/// Starts a run, and returns its id.
async fn start(client: &Client, body: &Value) -> Result<String, CliError> {
    let answer = client.post("/api/v1/runs", body).await?;
    Ok(answer["run_id"].as_str().unwrap_or_default().to_owned())
}

/// The runs that have not ended.
async fn open_runs(client: &Client) -> Result<Vec<Value>, CliError> {
    let mut open = Vec::new();
    for state in ["waiting", "running"] {
        let mut page = client.get(&format!("/api/v1/runs?state={state}&limit=500")).await?;
        open.extend(page["runs"].as_array_mut().map(std::mem::take).unwrap_or_default());
    }
    Ok(open)
}

/// Cancels a run and all that it has started, each once, and waits for their end.
async fn stop(client: &Client, id: &str) -> Result<(), CliError> {
    client.post(&format!("{}/cancel", run_path(id)), &json!({})).await?;
    let mut told = HashSet::from([id.to_owned()]);
    loop {
        let open = open_runs(client).await?;
        if open.is_empty() {
            return Ok(());
        }
        for run in open.iter().filter_map(|run| run["id"].as_str()) {
            // A child is stopped by its parent. A second cancel would stop its hooks.
            let run = client.get(&run_path(run)).await?;
            let is_awaited = run["parent"]["waits"] == true;
            let id = run["id"].as_str().unwrap_or_default();
            if !is_awaited && told.insert(id.to_owned()) {
                client.post(&format!("{}/cancel", run_path(id)), &json!({})).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Picks the workflow to run of those in a file.
fn pick(mut parsed: Vec<Parsed>, name: Option<&str>) -> Result<Parsed, CliError> {
    let names: Vec<String> = parsed.iter().map(|one| one.workflow.id.to_string()).collect();
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
