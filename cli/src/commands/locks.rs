//! `locks`: who holds them, has a slot of a workflow or a part of a rate, and who waits.

use clap::{Args, Subcommand};
use millrace_domain::lock::LockName;
use serde_json::{Map, Value};

use super::acts::RecordArgs;
use crate::client::{Client, segment};
use crate::commands::run_id;
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum LocksCommand {
    /// List those that somebody holds, or waits for, and rates of which anything is used
    List,
    /// Show who holds one, and who waits for it
    Get(GetArgs),
    /// Take one away from a step or a run that holds it, whatever that does: the next in its queue gets it
    Release(ReleaseArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The name of the lock, such as db/primary; @nightly or @nightly:KEY for the slots of a workflow, +NAME or +NAME:KEY for a rate
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The name of the lock, such as db/primary. What the step holds beside it is released with it
    #[arg(value_name = "NAME")]
    name: String,
    /// The run that holds it: its id, or the beginning of that. Not needed where only one holds it
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The step of the run
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Of a step with items: which of them
    #[arg(long, value_name = "N")]
    item: Option<u32>,
    #[command(flatten)]
    record: RecordArgs,
}

/// Lists or shows locks, or takes one away.
pub(crate) async fn run(common: &Common, command: LocksCommand) -> Result<(), CliError> {
    let client = Client::of(common)?;
    match command {
        LocksCommand::List => list(&client, common).await,
        LocksCommand::Get(args) => get(&client, common, &args).await,
        LocksCommand::Release(args) => release(&client, common, args).await,
    }
}

async fn list(client: &Client, common: &Common) -> Result<(), CliError> {
    let columns = [
        ("NAME", "name"),
        ("SLOTS", "slots"),
        ("TAKEN", "taken"),
        ("HOLDERS", "holders"),
        ("WAITERS", "waiters"),
        ("WAITING SINCE", "waiting_since"),
        ("PER", "per"),
    ];
    let answer = client.get("/api/v1/locks").await?;
    output::list(common.output, rows(&answer, "locks"), &columns);
    Ok(())
}

async fn get(client: &Client, common: &Common, args: &GetArgs) -> Result<(), CliError> {
    let lock = client.get(&path(&args.name)?).await?;
    output::one(common.output, &lock, &words(&lock));
    Ok(())
}

async fn release(client: &Client, common: &Common, args: ReleaseArgs) -> Result<(), CliError> {
    let mut body: Map<String, Value> = args.record.fields().collect();
    if let Some(run) = &args.run {
        body.insert("run_id".to_owned(), run_id::find_typed(client, run).await?.into());
    }
    body.extend(args.step.map(|step| ("step".to_owned(), step.into())));
    body.extend(args.item.map(|item| ("item".to_owned(), item.into())));
    let answer = client.post(&format!("{}/release", path(&args.name)?), &Value::Object(body)).await?;
    output::one(common.output, &answer, answer["done"].as_str().unwrap_or_default());
    Ok(())
}

/// A lock in words: a line for each that holds it, and for each that waits.
fn words(lock: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_rate = lock["kind"] == "rate";
    let (name, taken, slots) = (text(&lock["name"]), &lock["taken"], &lock["slots"]);
    let mut lines = vec![match (lock["per"].as_str(), lock["frees_at"].as_str()) {
        (None, _) => format!("{name}: {taken} of {slots} slots are taken"),
        (Some(per), None) => format!("{name}: {taken} of {slots} per {per} are taken"),
        (Some(per), Some(at)) => {
            format!("{name}: {taken} of {slots} per {per} are taken, enough for the next at {at}")
        }
    }];
    if let Some(until) = lock["paused_until"].as_str() {
        lines.push(format!("nobody gets any until {until}, since the other side has said so"));
    }
    let who = |entry: &Value| {
        let item = entry["item"].as_u64().map(|item| format!("item {item} of ")).unwrap_or_default();
        let (run, workflow) = (text(&entry["run_id"]), text(&entry["workflow"]));
        let mut who = match entry["step"].as_str() {
            Some(step) => format!("{item}{step} of {workflow}, run {run}"),
            None => format!("run {run} of {workflow}"),
        };
        match (entry["shared"].as_bool(), entry["weight"].as_u64()) {
            (Some(true), _) => who.push_str(", shared"),
            (_, Some(weight)) if weight > 1 && is_rate => who.push_str(&format!(", {weight} of it")),
            (_, Some(weight)) if weight > 1 => who.push_str(&format!(", {weight} slots")),
            _ => {}
        }
        who
    };
    let held = if is_rate { "reserved for" } else { "held by" };
    for holder in rows(lock, "holders") {
        lines.push(format!(
            "{held} {}, since {} (token {})",
            who(holder),
            text(&holder["since"]),
            text(&holder["token"])
        ));
    }
    for waiter in rows(lock, "waiters") {
        lines.push(format!(
            "{}. waits: {}, {}, since {}",
            waiter["place"],
            who(waiter),
            text(&waiter["priority"]),
            text(&waiter["since"])
        ));
    }
    let more = lock["waiting"].as_u64().unwrap_or(0).saturating_sub(rows(lock, "waiters").len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more wait"));
    }
    lines.join("\n")
}

fn path(name: &str) -> Result<String, CliError> {
    name.parse::<LockName>().map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(format!("/api/v1/locks/{}", segment(name)))
}

fn rows<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}
