//! `runs link`: a link by which somebody approves or rejects what a step asks for, without the command line and without a token.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::client::{Client, run_path, segment};
use crate::commands::run_id;
use crate::error::CliError;
use crate::options::Common;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// The run: its id, or the beginning of it
    id: String,
    /// The step that asks
    step: String,
    /// What is done by the link
    deed: LinkDeed,
    /// Of a step with items: which of them, by its place in the list
    #[arg(long, value_name = "N")]
    item: Option<u32>,
    /// How long the link is good; 24h when absent, and 90d at most
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    /// In whose name it is done: whoever has the link acts by this name
    #[arg(long = "for", value_name = "NAME")]
    by: Option<String>,
    /// The address of the server as they reach it; when absent, the one that this command reaches
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LinkDeed {
    Approve,
    Reject,
}

/// Makes a link, and prints it.
pub(super) async fn run(client: &Client, common: &Common, args: LinkArgs) -> Result<(), CliError> {
    let LinkArgs { id, step, deed, item, expires, by, url } = args;
    let id = run_id::find_typed(client, &id).await?;
    let deed = match deed {
        LinkDeed::Approve => "approve",
        LinkDeed::Reject => "reject",
    };
    let mut body = json!({"deed": deed});
    let url = url.or_else(|| client.address().map(str::to_owned));
    for (field, value) in [("for", by), ("expires", expires), ("url", url)] {
        if let Some(value) = value {
            body[field] = json!(value);
        }
    }
    if let Some(item) = item {
        body["item"] = Value::from(item);
    }
    let answer = client.post(&format!("{}/steps/{}/links", run_path(&id), segment(&step)), &body).await?;
    output::one(common.output, &answer, answer["url"].as_str().unwrap_or_default());
    Ok(())
}
