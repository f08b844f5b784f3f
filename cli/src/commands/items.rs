//! `runs items`: the items of a step that fans out.

use clap::Args;
use serde_json::Value;

use crate::client::{Client, run_path, segment};
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

/// The items of one page.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct ItemsArgs {
    #[command(flatten)]
    run: RunIdArgs,
    /// Of this step
    #[arg(long, value_name = "NAME")]
    step: String,
    /// Only in this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// From this place of the list on, from 0
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

/// Lists the items of a step, in the order of its list.
pub(super) async fn run(client: &Client, common: &Common, args: &ItemsArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let path = format!("{}/steps/{}/items", run_path(&id), segment(&args.step));
    let state = args.state.as_ref().map(|state| format!("&state={}", segment(state))).unwrap_or_default();
    let (mut from, mut items) = (Some(args.from), Vec::new());
    while let Some(place) = from.filter(|_| items.len() < args.limit) {
        let limit = (args.limit - items.len()).min(PAGE);
        let mut page = client.get(&format!("{path}?from={place}&limit={limit}{state}")).await?;
        if let Value::Array(found) = page["items"].take() {
            items.extend(found);
        }
        from = page["next"].as_u64();
    }
    let mut columns = vec![
        ("INDEX", "index"),
        ("ITEM", "item"),
        ("STATE", "state"),
        ("ATTEMPT", "attempt"),
        ("OUTPUTS", "outputs"),
        ("REASON", "reason"),
    ];
    if items.iter().any(|item| item["child"].is_string()) {
        columns.insert(columns.len() - 2, ("RUN", "child"));
    }
    output::list(common.output, &items, &columns);
    Ok(())
}
