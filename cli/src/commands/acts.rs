//! `runs skip` and `mark`, and `runs retry` of a step: what people do to one that waits, or asks; `runs approve`, `reject` and `supply`: what they
//! answer it.

use clap::Args;
use millrace_domain::number;
use serde_json::{Map, Value, json};

use crate::client::{Client, run_path, segment};
use crate::commands::params::{self, Pair};
use crate::commands::run_id::{self, RunAndStepArgs, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    #[command(flatten)]
    of: RunAndStepArgs,
    /// Of a step with items: which of them, by its place in the list
    #[arg(long, value_name = "N")]
    item: Option<u32>,
    /// The attempt that you have looked at: refused, when the step has gone on since
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    #[command(flatten)]
    record: RecordArgs,
}

impl ActArgs {
    /// Whether a step is named.
    pub(super) fn names_step(&self) -> bool {
        self.of.names_step()
    }

    /// The run, where it is meant as a whole.
    ///
    /// # Errors
    /// When something is said that only a step has.
    pub(super) fn of_run(self) -> Result<(RunIdArgs, RecordArgs), CliError> {
        if self.item.is_some() || self.attempt.is_some() {
            let why = "--item and --attempt are of a step: say which, millrace runs retry ID STEP";
            return Err(CliError::Usage(why.to_owned()));
        }
        Ok((self.of.split().0, self.record))
    }
}

/// What is kept of who does something.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Why; it is kept, for others to see
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Who does it; when absent, the name by which you are logged in
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl RecordArgs {
    /// The fields of a request that say so.
    pub(super) fn fields(self) -> impl Iterator<Item = (String, Value)> {
        let by = self.by.or_else(|| ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()));
        let fields = [("by", by), ("why", self.why)];
        fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())))
    }
}

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    #[command(flatten)]
    act: ActArgs,
    /// It succeeded
    #[arg(long, required_unless_present = "failed")]
    succeeded: bool,
    /// It failed
    #[arg(long, conflicts_with_all = ["succeeded", "outputs", "output_values"])]
    failed: bool,
    /// An output that it gave, as a text; repeat it for more
    #[arg(long = "output-text", value_name = "KEY=VALUE")]
    outputs: Vec<String>,
    /// Outputs that it gave, as a JSON object
    #[arg(long = "outputs", value_name = "JSON")]
    output_values: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SupplyArgs {
    #[command(flatten)]
    act: ActArgs,
    /// A value, with the type that the step declares; repeat it for more
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = params::pair)]
    params: Vec<Pair>,
    /// Values, as a JSON object
    #[arg(long, value_name = "JSON")]
    values: Option<String>,
}

/// Skips a step.
pub(super) async fn skip(client: &Client, common: &Common, args: ActArgs) -> Result<(), CliError> {
    act(client, common, args, "skip", Map::new()).await
}

/// Says how a step ended.
pub(super) async fn mark(client: &Client, common: &Common, args: MarkArgs) -> Result<(), CliError> {
    let outcome = if args.failed { "failed" } else { "succeeded" };
    let mut more = Map::from_iter([("outcome".to_owned(), json!(outcome))]);
    let outputs = outputs(&args)?;
    if !outputs.is_empty() {
        more.insert("outputs".to_owned(), Value::Object(outputs));
    }
    act(client, common, args.act, "mark", more).await
}

/// Approves what a step asks for.
pub(super) async fn approve(client: &Client, common: &Common, args: ActArgs) -> Result<(), CliError> {
    act(client, common, args, "approve", Map::new()).await
}

/// Rejects what a step asks for.
pub(super) async fn reject(client: &Client, common: &Common, args: ActArgs) -> Result<(), CliError> {
    act(client, common, args, "reject", Map::new()).await
}

/// Gives a step the values that it asks for.
pub(super) async fn supply(client: &Client, common: &Common, args: SupplyArgs) -> Result<(), CliError> {
    let values = args.values.as_deref().map_or(Ok(Map::new()), |text| object("--values", text))?;
    let texts: Map<String, Value> = params::texts(&args.params).into_iter().collect();
    if texts.len() < args.params.len() || values.keys().any(|name| texts.contains_key(name)) {
        return Err(CliError::Usage("a value is given twice".to_owned()));
    }
    let more = [("values", values), ("texts", texts)];
    let more = more.map(|(name, values)| (name.to_owned(), Value::Object(values)));
    act(client, common, args.act, "supply", Map::from_iter(more)).await
}

/// Reads a JSON object.
fn object(option: &str, text: &str) -> Result<Map<String, Value>, CliError> {
    let object = serde_json::from_str(text)
        .map_err(|error| CliError::Usage(format!("{option}: expected a JSON object: {error}")))?;
    number::check_numbers(text.as_bytes()).map_err(|error| CliError::Usage(format!("{option}: {error}")))?;
    Ok(object)
}

fn outputs(args: &MarkArgs) -> Result<Map<String, Value>, CliError> {
    let mut outputs =
        args.output_values.as_deref().map_or(Ok(Map::new()), |text| object("--outputs", text))?;
    for given in &args.outputs {
        let Some((key, value)) = given.split_once('=') else {
            return Err(CliError::Usage(format!("--output-text: expected KEY=VALUE, found {given:?}")));
        };
        if outputs.insert(key.to_owned(), json!(value)).is_some() {
            return Err(CliError::Usage(format!("the output {key:?} is given twice")));
        }
    }
    Ok(outputs)
}

pub(super) async fn act(
    client: &Client,
    common: &Common,
    args: ActArgs,
    deed: &str,
    mut body: Map<String, Value>,
) -> Result<(), CliError> {
    let (run, step) = args.of.split();
    let Some(step) = step else {
        return Err(CliError::Usage(format!("which step? millrace runs {deed} ID STEP")));
    };
    let id = run_id::find(client, &run).await?;
    let fields = [("item", args.item.map(Value::from)), ("attempt", args.attempt.map(Value::from))];
    body.extend(args.record.fields());
    body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let path = format!("{}/steps/{}/{deed}", run_path(&id), segment(&step));
    let answer = client.post(&path, &Value::Object(body)).await?;
    output::one(common.output, &answer, answer["done"].as_str().unwrap_or_default());
    Ok(())
}
