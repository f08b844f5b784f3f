//! `runs retry`: a step is tried again that waits, or asks what is to become of it; or, without a step, a run that has ended goes on from
//! where it failed, as another run.

use clap::Args;
use serde_json::Value;

use super::acts::{self, ActArgs};
use super::run_id;
use crate::client::{Client, run_path};
use crate::error::CliError;
use crate::options::{Common, FollowArgs};
use crate::output;
use crate::render::{self, Wait};

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Idempotency key of a retry of the run as a whole: under one key there is one
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    follow: FollowArgs,
}

/// Has a step tried again, or a run go on from where it failed.
pub(super) async fn run(client: &Client, common: &Common, args: RetryArgs) -> Result<(), CliError> {
    let RetryArgs { act, key, follow } = args;
    if act.names_step() {
        if key.is_some() || follow.follow {
            let why = "--key and --follow are for the retry of a run as a whole, without a STEP";
            return Err(CliError::Usage(why.to_owned()));
        }
        return acts::act(client, common, act, "retry", serde_json::Map::new()).await;
    }
    let (run, record) = act.of_run()?;
    let id = run_id::find(client, &run).await?;
    let body = Value::Object(record.fields().collect());
    let answer = client.post_keyed(&format!("{}/retry", run_path(&id)), &body, key.as_deref()).await?;
    let new = answer["run_id"].as_str().unwrap_or_default();
    if follow.follow {
        return render::wait(client, new, Wait::of(common.output, &follow)).await;
    }
    output::one(common.output, &answer, new);
    Ok(())
}
