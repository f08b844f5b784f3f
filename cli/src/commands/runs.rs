//! `runs`: what was run, and how it went.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::{Common, Output, RunsCommand};
use crate::client::{Client, segment};
use crate::error::CliError;
use crate::{output, render};

/// Runs the command.
pub(crate) async fn run(common: Common, command: RunsCommand) -> Result<(), CliError> {
    let client = super::client(&common)?;
    match command {
        RunsCommand::List { workflow, state, limit } => list(&client, &common, workflow, state, limit).await,
        RunsCommand::Get { id } => {
            let run = client.get(&path(&id)).await?;
            output::one(common.output, &run, &render::tree(&run, false).join("\n"));
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
    let columns =
        [("ID", "id"), ("WORKFLOW", "workflow"), ("STATE", "state"), ("CREATED", "created_at"), ("REASON", "reason")];
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
    let mut printed: HashMap<(String, u32), u64> = HashMap::new();
    loop {
        let run = client.get(&path(id)).await?;
        let ended = render::has_ended(&run);
        let steps = run["steps"].as_array().cloned().unwrap_or_default();
        let mut known = false;
        for one in &steps {
            let name = one["name"].as_str().unwrap_or_default();
            if step.is_some_and(|step| step != name) {
                continue;
            }
            known = true;
            let last = u32::try_from(one["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
            // While following, attempts come one after another; each is shown.
            let attempts = match attempt {
                Some(attempt) => attempt..=attempt,
                None if follow => 1..=last,
                None => last..=last,
            };
            for attempt in attempts.filter(|attempt| *attempt > 0) {
                let from = printed.entry((name.to_owned(), attempt)).or_default();
                *from = page(client, common.output, id, name, attempt, *from, steps.len() > 1).await?;
            }
        }
        if let (Some(step), false) = (step, known) {
            return Err(CliError::NotFound(format!("there is no step {step:?} in run {id}")));
        }
        if ended || !follow {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Prints the log of an attempt from a chunk on; answers where it ended.
async fn page(
    client: &Client,
    output: Output,
    id: &str,
    step: &str,
    attempt: u32,
    mut from: u64,
    prefixed: bool,
) -> Result<u64, CliError> {
    loop {
        let url = format!("{}/logs?step={}&attempt={attempt}&from={from}", path(id), segment(step));
        let page = client.get(&url).await?;
        let chunks = page["chunks"].as_array().cloned().unwrap_or_default();
        if chunks.is_empty() {
            return Ok(from);
        }
        for chunk in chunks {
            if output == Output::Table {
                for line in chunk["text"].as_str().unwrap_or_default().lines() {
                    output::line(&if prefixed { format!("{step} | {line}") } else { line.to_owned() });
                }
            } else {
                let mut chunk = chunk;
                chunk["step"] = step.into();
                chunk["attempt"] = attempt.into();
                output::line(&chunk.to_string());
            }
        }
        from = page["next"].as_u64().unwrap_or(from);
    }
}
