//! Which run is meant: by its whole id, by the beginning of one, or the last.

use clap::Args;
use millrace_domain::RunId;
use serde_json::Value;

use crate::client::{Client, segment};
use crate::error::CliError;

/// The number of runs among which the beginning of an id is looked for, the newest first, and how many come at once.
const SEARCHED: usize = 10_000;
const PAGE: usize = 500;

/// The fewest digits that the beginning of an id may have.
const SHORTEST: usize = 4;

/// The most candidates that are named.
const NAMED: usize = 10;

/// Which run.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RunIdArgs {
    /// Its id, or the beginning of it when no other run's begins so
    id: Option<String>,
    /// The run that was created last, and is no step of another
    #[arg(long)]
    last: bool,
}

impl RunIdArgs {
    /// That one, or the last.
    pub(crate) fn new(id: Option<String>, last: bool) -> Self {
        Self { id, last }
    }
}

/// Which run, and perhaps which of its steps: `ID`, `ID STEP`, `--last`, or `--last STEP`.
#[derive(Debug, Args)]
pub(crate) struct RunAndStepArgs {
    /// Its id, or the beginning of it when no other run's begins so
    #[arg(required_unless_present = "last")]
    id: Option<String>,
    /// A step of it
    step: Option<String>,
    /// The run that was created last, and is no step of another, in place of its id
    #[arg(long, conflicts_with = "step")]
    last: bool,
}

impl RunAndStepArgs {
    /// Whether a step is named.
    pub(crate) fn names_step(&self) -> bool {
        if self.last { self.id.is_some() } else { self.step.is_some() }
    }

    /// The run and the step that are meant.
    pub(crate) fn split(self) -> (RunIdArgs, Option<String>) {
        match self.last {
            true => (RunIdArgs { id: None, last: true }, self.id),
            false => (RunIdArgs { id: self.id, last: false }, self.step),
        }
    }
}

/// The run that was created last and is no step of another.
async fn last(client: &Client) -> Result<String, CliError> {
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("/api/v1/runs?children=false&limit=1{cursor}")).await?;
        if let Some(id) = page["runs"][0]["id"].as_str() {
            return Ok(id.to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", segment(next)),
            None => return Err(CliError::NotFound("there is no run yet".to_owned())),
        }
    }
}

/// Finds the id of a run by what was typed for it: the whole, or its beginning.
pub(crate) async fn find_typed(client: &Client, typed: &str) -> Result<String, CliError> {
    find(client, &RunIdArgs { id: Some(typed.to_owned()), last: false }).await
}

/// Finds the id of the run that is meant.
pub(crate) async fn find(client: &Client, args: &RunIdArgs) -> Result<String, CliError> {
    let Some(typed) = args.id.as_ref().filter(|_| !args.last) else {
        return last(client).await;
    };
    let digits = typed.replace('-', "").to_ascii_lowercase();
    let is_beginning = digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.len() < 32;
    if typed.parse::<RunId>().is_ok() || !is_beginning {
        return Ok(typed.clone());
    }
    if digits.len() < SHORTEST {
        return Err(CliError::Usage(format!(
            "{typed:?} is too short: expected a run id, or {SHORTEST} digits of its beginning at least"
        )));
    }
    let (mut found, searched) = begin_with(client, &digits).await?;
    match found.len() {
        0 => Err(CliError::NotFound(format!("no run begins with {typed:?} among the latest {searched}"))),
        1 => Ok(text(&found.remove(0), "id")),
        count => Err(CliError::Usage(ambiguous(typed, &found, count))),
    }
}

/// Finds the runs whose ids begin with these digits, and returns among how many they were looked for.
async fn begin_with(client: &Client, digits: &str) -> Result<(Vec<Value>, usize), CliError> {
    let (mut found, mut searched) = (Vec::new(), 0);
    let mut cursor = String::new();
    while searched < SEARCHED {
        let mut page = client.get(&format!("/api/v1/runs?limit={PAGE}{cursor}")).await?;
        let Value::Array(runs) = page["runs"].take() else { break };
        searched += runs.len();
        found.extend(runs.into_iter().filter(|run| text(run, "id").replace('-', "").starts_with(digits)));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", segment(next)),
            None => break,
        }
    }
    Ok((found, searched))
}

fn ambiguous(typed: &str, found: &[Value], count: usize) -> String {
    let mut message = format!("{count} runs begin with {typed:?}: give more of the id");
    for run in found.iter().take(NAMED) {
        let [id, workflow, state] = ["id", "workflow", "state"].map(|key| text(run, key));
        message.push_str(&format!("\n  {id}  {workflow}  {state}"));
    }
    if count > NAMED {
        message.push_str(&format!("\n  and {} more", count - NAMED));
    }
    message
}

fn text(run: &Value, key: &str) -> String {
    run[key].as_str().unwrap_or_default().to_owned()
}
