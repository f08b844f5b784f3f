//! `runs`: what was run, and how it went.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Common, LogsArgs, Output, RunsCommand};
use crate::client::{Client, run_path, segment};
use crate::commands::run_id;
use crate::error::CliError;
use crate::output::{self, Results};
use crate::render::{self, Lines, View, Wait};

/// Runs the command.
pub(crate) async fn run(common: Common, command: RunsCommand) -> Result<(), CliError> {
    let client = Client::of(&common)?;
    match command {
        RunsCommand::List { workflow, state, limit } => {
            let workflow = workflow.map(|name| name.to_string());
            list(&client, &common, workflow, state, limit).await
        }
        RunsCommand::Get { run } => {
            let run = client.get(&run_path(&run_id::find(&client, &run).await?)).await?;
            let shown = render::run_in_full(&run, render::Style::of_stdout());
            output::one(common.output, &run, &shown.join("\n"));
            Ok(())
        }
        RunsCommand::Watch { run, patience, raw } => {
            let id = run_id::find(&client, &run).await?;
            let view = View { format: common.output, follow: true, raw };
            render::wait(&client, &id, Wait { view, bound: patience.wait_timeout }).await
        }
        RunsCommand::Logs(args) => {
            // Whoever reads only the first lines has gone before the run ends.
            tokio::select! {
                logged = logs(&client, &common, &args) => logged,
                () = output::reader_is_gone() => Ok(()),
            }
        }
        RunsCommand::Cancel { run } => cancel(&client, &common, &run_id::find(&client, &run).await?).await,
    }
}

async fn cancel(client: &Client, common: &Common, id: &str) -> Result<(), CliError> {
    let run = client.get(&run_path(id)).await?;
    if render::has_ended(&run) {
        let state = run["state"].as_str().unwrap_or_default();
        let reason = run["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        let answer = json!({"run_id": id, "state": state});
        output::one(common.output, &answer, &format!("{id} had ended before: {state}{reason}"));
        return Ok(());
    }
    let answer = client.post(&format!("{}/cancel", run_path(id)), &json!({})).await?;
    output::one(common.output, &answer, &format!("{id} is being stopped"));
    Ok(())
}

async fn list(
    client: &Client,
    common: &Common,
    workflow: Option<String>,
    state: Option<String>,
    limit: usize,
) -> Result<(), CliError> {
    let mut runs: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    while runs.len() < limit {
        let mut query = format!("limit={}", (limit - runs.len()).min(500));
        for (name, value) in [("workflow", &workflow), ("state", &state), ("cursor", &cursor)] {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", segment(value)));
            }
        }
        let mut page = client.get(&format!("/api/v1/runs?{query}")).await?;
        if let Value::Array(found) = page["runs"].take() {
            runs.extend(found);
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let columns = [
        ("ID", "id"),
        ("WORKFLOW", "workflow"),
        ("STATE", "state"),
        ("CREATED", "created_at"),
        ("REASON", "reason"),
    ];
    output::list(common.output, &runs, &columns);
    Ok(())
}

/// Prints what tasks printed; with `follow`, until the run has ended.
async fn logs(client: &Client, common: &Common, args: &LogsArgs) -> Result<(), CliError> {
    let LogsArgs { step, attempt, follow, raw, .. } = args;
    let id = run_id::find(client, &args.run).await?;
    let mut printed: HashMap<(String, u32), Printed> = HashMap::new();
    let mut results = Results::new(common.output);
    loop {
        let run = client.get(&run_path(&id)).await?;
        let ended = render::has_ended(&run);
        let steps = run["steps"].as_array().cloned().unwrap_or_default();
        if let Some(step) = step
            && !steps.iter().any(|one| one["name"] == **step)
        {
            return Err(CliError::NotFound(format!("there is no step {step:?} in run {id}")));
        }
        for one in steps.iter().filter(|one| step.as_ref().is_none_or(|step| one["name"] == **step)) {
            let name = one["name"].as_str().unwrap_or_default();
            let last = u32::try_from(one["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
            // While following, attempts come one after another; each is shown.
            let attempts = match *attempt {
                Some(attempt) => attempt..=attempt,
                None if *follow => 1..=last,
                None => last..=last,
            };
            let prefix = if steps.len() > 1 { format!("{name} | ") } else { String::new() };
            for attempt in attempts.filter(|attempt| *attempt > 0) {
                let printed = printed.entry((name.to_owned(), attempt)).or_default();
                let lines = read(client, &run, name, attempt, printed, common.output, &mut results).await?;
                lines.iter().for_each(|line| output::task_line(&prefix, line, *raw));
                if ended || !follow || attempt < last {
                    let rest = printed.lines.finish();
                    rest.iter().for_each(|line| output::task_line(&prefix, line, *raw));
                }
            }
        }
        if ended || !follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// What was printed of an attempt's log.
#[derive(Default)]
struct Printed {
    next: u64,
    lines: Lines,
}

/// Reads what is new in the log of an attempt: as chunks among the `results`, or else as the lines that are whole.
async fn read(
    client: &Client,
    run: &Value,
    step: &str,
    attempt: u32,
    printed: &mut Printed,
    format: Output,
    results: &mut Results,
) -> Result<Vec<String>, CliError> {
    let id = run["id"].as_str().unwrap_or_default();
    let mut lines = Vec::new();
    loop {
        let url =
            format!("{}/logs?step={}&attempt={attempt}&from={}", run_path(id), segment(step), printed.next);
        let mut page = client.get(&url).await?;
        let Value::Array(chunks) = page["chunks"].take() else { return Ok(lines) };
        if chunks.is_empty() {
            return Ok(lines);
        }
        for mut chunk in chunks {
            if format == Output::Table {
                lines.extend(printed.lines.push(&chunk));
            } else {
                chunk["step"] = step.into();
                chunk["attempt"] = attempt.into();
                results.one(&chunk, "");
            }
        }
        printed.next = page["next"].as_u64().unwrap_or(printed.next);
    }
}
