//! `runs history`: what happened to a run, in order, and why.

use clap::Args;
use serde_json::Value;

use crate::client::{Client, run_path};
use crate::commands::run_id::{self, RunIdArgs};
use crate::error::CliError;
use crate::options::Common;
use crate::output;

/// The changes of one page.
const PAGE: usize = 5_000;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    run: RunIdArgs,
}

/// Tells the history of a run.
pub(super) async fn run(client: &Client, common: &Common, args: &HistoryArgs) -> Result<(), CliError> {
    let id = run_id::find(client, &args.run).await?;
    let (mut after, mut events) = (Some(0), Vec::new());
    while let Some(n) = after {
        let mut page = client.get(&format!("{}/events?after={n}&limit={PAGE}", run_path(&id))).await?;
        if let Value::Array(found) = page["events"].take() {
            events.extend(found);
        }
        after = page["next"].as_u64();
    }
    let columns = [("N", "n"), ("AT", "at"), ("KIND", "kind"), ("WHAT", "text")];
    output::list(common.output, &events, &columns);
    Ok(())
}
