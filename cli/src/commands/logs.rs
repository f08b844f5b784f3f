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
    /// Only of this item of the step, by its place in the list, from 0
    #[arg(long, value_name = "NUMBER", requires = "step")]
    item: Option<u64>,
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
    /// What was printed, by unit and attempt.
    printed: HashMap<(String, u32), Printed>,
}

/// The log of one attempt, as far as it was printed.
#[derive(Default)]
struct Printed {
    next: u64,
    lines: Lines,
    /// The attempt has ended, and all of it was printed.
    is_complete: bool,
}

/// A step, or an item of one, whose log is printed.
struct Unit<'a> {
    step: &'a str,
    item: Option<u64>,
    /// Its current or last attempt; 0 when there was none.
    attempt: u32,
    has_ended: bool,
}

impl<'a> Unit<'a> {
    fn of(step: &'a str, item: Option<u64>, shown: &Value) -> Self {
        let attempt = u32::try_from(shown["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
        Self { step, item, attempt, has_ended: shown["ended_at"].is_string() }
    }

    fn name(&self) -> String {
        match self.item {
            None => self.step.to_owned(),
            Some(item) => format!("{}.{item}", self.step),
        }
    }
}

impl Logs<'_> {
    /// Prints what the log of each step that is wanted has beyond what was printed.
    async fn print_news(&mut self, id: &str, run: &Value, ended: bool) -> Result<(), CliError> {
        let LogsArgs { step, item, .. } = self.args;
        let steps = run["steps"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let is_wanted = |one: &&Value| step.as_ref().is_none_or(|step| one["name"] == **step);
        if let Some(step) = step
            && !steps.iter().any(|one| is_wanted(&one))
        {
            return Err(CliError::NotFound(format!("there is no step {step:?} in run {id}")));
        }
        for one in steps.iter().filter(is_wanted) {
            let name = one["name"].as_str().unwrap_or_default();
            if one["items"].is_object() {
                self.print_items(id, run, name, ended).await?;
            } else if item.is_some() {
                return Err(CliError::NotFound(format!("step {name:?} in run {id} has no items")));
            } else {
                self.print_unit(run, &Unit::of(name, None, one), steps.len() > 1, ended).await?;
            }
        }
        Ok(())
    }

    /// Prints what the logs of the items of a step have beyond what was printed, in the order of the list.
    async fn print_items(&mut self, id: &str, run: &Value, step: &str, ended: bool) -> Result<(), CliError> {
        let path = format!("{}/steps/{}/items", run_path(id), segment(step));
        let wanted = self.args.item;
        let mut from = wanted;
        loop {
            let limit = if wanted.is_some() { 1 } else { 1_000 };
            let page = self.client.get(&format!("{path}?from={}&limit={limit}", from.unwrap_or(0))).await?;
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            if let (Some(item), []) = (wanted, items) {
                let message = format!("there is no item {item} of step {step:?} in run {id}");
                return Err(CliError::NotFound(message));
            }
            for one in items {
                let unit = Unit::of(step, one["index"].as_u64(), one);
                self.print_unit(run, &unit, wanted.is_none(), ended).await?;
            }
            from = page["next"].as_u64();
            if from.is_none() || wanted.is_some() {
                return Ok(());
            }
        }
    }

    /// Prints what the log of a unit has beyond what was printed.
    async fn print_unit(
        &mut self,
        run: &Value,
        unit: &Unit<'_>,
        is_named: bool,
        ended: bool,
    ) -> Result<(), CliError> {
        let LogsArgs { attempt, follow, raw, .. } = self.args;
        let last = unit.attempt;
        // While following, attempts come one after another; each is shown.
        let attempts = match *attempt {
            Some(attempt) => attempt..=attempt,
            None if *follow => 1..=last,
            None => last..=last,
        };
        let prefix = if is_named { format!("{} | ", unit.name()) } else { String::new() };
        for attempt in attempts.filter(|attempt| *attempt > 0) {
            let is_complete = ended || !follow || attempt < last || (unit.item.is_some() && unit.has_ended);
            let lines = self.read(run, unit, attempt, is_complete).await?;
            lines.iter().for_each(|line| output::task_line(&prefix, line, *raw));
        }
        Ok(())
    }

    /// Reads what is new in the log of an attempt: as chunks among the results, or else as lines, of which the last one
    /// may lack its end once the log is complete.
    async fn read(
        &mut self,
        run: &Value,
        unit: &Unit<'_>,
        attempt: u32,
        is_complete: bool,
    ) -> Result<Vec<String>, CliError> {
        let path = run_path(run["id"].as_str().unwrap_or_default());
        let item = unit.item.map(|item| format!("&item={item}")).unwrap_or_default();
        let printed = self.printed.entry((unit.name(), attempt)).or_default();
        let mut lines = Vec::new();
        if printed.is_complete {
            return Ok(lines);
        }
        printed.is_complete = is_complete && unit.item.is_some();
        loop {
            let (step, next) = (segment(unit.step), printed.next);
            let url = format!("{path}/logs?step={step}{item}&attempt={attempt}&from={next}");
            let mut page = self.client.get(&url).await?;
            let chunks = match page["chunks"].take() {
                Value::Array(chunks) if !chunks.is_empty() => chunks,
                _ => break,
            };
            for mut chunk in chunks {
                if self.format == Output::Table {
                    lines.extend(printed.lines.push(&chunk));
                } else {
                    chunk["step"] = unit.step.into();
                    if let Some(item) = unit.item {
                        chunk["item"] = item.into();
                    }
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
