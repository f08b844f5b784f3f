//! `runs logs`: what the tasks of a run printed.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::client::{Client, run_path, segment};
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::{Common, Output};
use crate::output::{self, Results};
use crate::render::{self, Lines};

/// The interval at which a run that is followed is looked at.
const EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    run: RunIdArgs,
    /// Only of this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Of this attempt; the last one otherwise
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
    /// Go on until the run has ended
    #[arg(long, short)]
    follow: bool,
    /// Show it as it is: a terminal obeys whatever control codes are in it
    #[arg(long)]
    raw: bool,
}

/// Prints what tasks printed; with `--follow`, until the run has ended.
pub(super) async fn run(client: &Client, common: &Common, args: &LogsArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let results = Results::new(common.output);
    let mut logs = Logs { client, args, format: common.output, results, printed: HashMap::new() };
    loop {
        let run = client.get(&run_path(&id)).await?;
        let ended = render::has_ended(&run);
        logs.print_news(&id, &run, ended).await?;
        if ended || !args.follow {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The logs of a run, as far as they were printed.
struct Logs<'a> {
    client: &'a Client,
    args: &'a LogsArgs,
    format: Output,
    results: Results,
    /// What was printed, by step and attempt.
    printed: HashMap<(String, u32), Printed>,
}

/// The log of one attempt, as far as it was printed.
#[derive(Default)]
struct Printed {
    next: u64,
    lines: Lines,
}

impl Logs<'_> {
    /// Prints what the log of each step that is wanted has beyond what was printed.
    async fn print_news(&mut self, id: &str, run: &Value, ended: bool) -> Result<(), CliError> {
        let LogsArgs { step, attempt, follow, raw, .. } = self.args;
        let steps = run["steps"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let is_wanted = |one: &&Value| step.as_ref().is_none_or(|step| one["name"] == **step);
        if let Some(step) = step
            && !steps.iter().any(|one| is_wanted(&one))
        {
            return Err(CliError::NotFound(format!("there is no step {step:?} in run {id}")));
        }
        for one in steps.iter().filter(is_wanted) {
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
                let is_complete = ended || !follow || attempt < last;
                let lines = self.read(run, name, attempt, is_complete).await?;
                lines.iter().for_each(|line| output::task_line(&prefix, line, *raw));
            }
        }
        Ok(())
    }

    /// Reads what is new in the log of an attempt: as chunks among the results, or else as lines, of which the last one
    /// may lack its end once the log is complete.
    async fn read(
        &mut self,
        run: &Value,
        step: &str,
        attempt: u32,
        is_complete: bool,
    ) -> Result<Vec<String>, CliError> {
        let path = run_path(run["id"].as_str().unwrap_or_default());
        let printed = self.printed.entry((step.to_owned(), attempt)).or_default();
        let mut lines = Vec::new();
        loop {
            let url = format!("{path}/logs?step={}&attempt={attempt}&from={}", segment(step), printed.next);
            let mut page = self.client.get(&url).await?;
            let chunks = match page["chunks"].take() {
                Value::Array(chunks) if !chunks.is_empty() => chunks,
                _ => break,
            };
            for mut chunk in chunks {
                if self.format == Output::Table {
                    lines.extend(printed.lines.push(&chunk));
                } else {
                    chunk["step"] = step.into();
                    chunk["attempt"] = attempt.into();
                    self.results.one(&chunk, "");
                }
            }
            printed.next = page["next"].as_u64().unwrap_or(printed.next);
        }
        if is_complete {
            lines.extend(printed.lines.finish());
        }
        Ok(lines)
    }
}
