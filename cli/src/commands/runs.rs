//! `runs`: what was run, and how it went.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Common, Output, RunsCommand};
use crate::client::{Client, segment};
use crate::error::CliError;
use crate::output;
use crate::render::{self, Lines};

/// Runs the command.
pub(crate) async fn run(common: Common, command: RunsCommand) -> Result<(), CliError> {
    let client = super::client(&common)?;
    match command {
        RunsCommand::List { workflow, state, limit } => list(&client, &common, workflow, state, limit).await,
        RunsCommand::Get { id } => {
            let run = client.get(&path(&id)).await?;
            let shown = render::run_in_full(&run, render::Style::of_stdout());
            output::one(common.output, &run, &shown.join("\n"));
            Ok(())
        }
        RunsCommand::Watch { id } => render::wait(&client, &id, common.output, true, None).await,
        RunsCommand::Logs { id, step, attempt, follow } => {
            logs(&client, &common, &id, step.as_deref(), attempt, follow).await
        }
        RunsCommand::Cancel { id } => {
            let answer = client.post(&format!("{}/cancel", path(&id)), &json!({})).await?;
            output::one(common.output, &answer, &format!("{id} is being stopped"));
            Ok(())
        }
    }
}

fn path(id: &str) -> String {
    format!("/api/v1/runs/{}", segment(id))
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
async fn logs(
    client: &Client,
    common: &Common,
    id: &str,
    step: Option<&str>,
    attempt: Option<u32>,
    follow: bool,
) -> Result<(), CliError> {
    let mut printed: HashMap<(String, u32), Printed> = HashMap::new();
    loop {
        let run = client.get(&path(id)).await?;
        let ended = render::has_ended(&run);
        let steps = run["steps"].as_array().cloned().unwrap_or_default();
        if let Some(step) = step
            && !steps.iter().any(|one| one["name"] == step)
        {
            return Err(CliError::NotFound(format!("there is no step {step:?} in run {id}")));
        }
        for one in steps.iter().filter(|one| step.is_none_or(|step| one["name"] == step)) {
            let name = one["name"].as_str().unwrap_or_default();
            let last = u32::try_from(one["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
            // While following, attempts come one after another; each is shown.
            let attempts = match attempt {
                Some(attempt) => attempt..=attempt,
                None if follow => 1..=last,
                None => last..=last,
            };
            let prefix = if steps.len() > 1 { format!("{name} | ") } else { String::new() };
            for attempt in attempts.filter(|attempt| *attempt > 0) {
                let printed = printed.entry((name.to_owned(), attempt)).or_default();
                print(client, common.output, &run, name, attempt, &prefix, printed).await?;
                if ended || !follow || attempt < last {
                    printed.lines.finish().iter().for_each(|line| output::line(&format!("{prefix}{line}")));
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

/// Prints what is new in the log of an attempt.
async fn print(
    client: &Client,
    format: Output,
    run: &Value,
    step: &str,
    attempt: u32,
    prefix: &str,
    printed: &mut Printed,
) -> Result<(), CliError> {
    let id = run["id"].as_str().unwrap_or_default();
    loop {
        let url = format!("{}/logs?step={}&attempt={attempt}&from={}", path(id), segment(step), printed.next);
        let mut page = client.get(&url).await?;
        let Value::Array(chunks) = page["chunks"].take() else { return Ok(()) };
        if chunks.is_empty() {
            return Ok(());
        }
        for mut chunk in chunks {
            if format == Output::Table {
                printed.lines.push(&chunk).iter().for_each(|line| output::line(&format!("{prefix}{line}")));
            } else {
                chunk["step"] = step.into();
                chunk["attempt"] = attempt.into();
                output::line(&chunk.to_string());
            }
        }
        printed.next = page["next"].as_u64().unwrap_or(printed.next);
    }
}
