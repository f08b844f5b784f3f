//! Follows a run to its end.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::screen::{Screen, View};
use crate::client::{Client, run_path};
use crate::duration;
use crate::error::CliError;
use crate::interrupt;
use crate::options::{FollowArgs, Output};

/// The interval at which a run is looked at.
const EVERY: Duration = Duration::from_millis(150);

/// How to wait for a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) view: View,
    /// The longest that is waited.
    pub(crate) bound: Option<Duration>,
}

impl Wait {
    /// The way to wait of one who follows a run.
    pub(crate) fn of(format: Output, args: &FollowArgs) -> Self {
        Self { view: View { format, follow: true, raw: args.raw }, bound: args.wait_timeout }
    }
}

/// Waits for the end of a run. One that neither succeeded nor was skipped is [`CliError::RunFailed`].
pub(crate) async fn wait(client: &Client, id: &str, how: Wait) -> Result<(), CliError> {
    let Wait { view, bound } = how;
    let path = run_path(id);
    let began = Instant::now();
    let mut screen = Screen::new(view);
    let mut interrupted = std::pin::pin!(interrupt::asked());
    let mut pause = Duration::from_millis(10);
    loop {
        let look = async {
            let run = client.get(&path).await?;
            let ended = has_ended(&run);
            screen.show(client, &path, &run, ended).await?;
            Ok::<_, CliError>((run, ended))
        };
        let (run, ended) = tokio::select! {
            looked = look => looked?,
            () = &mut interrupted => return Err(screen.interrupted(client, id)),
        };
        if ended {
            screen.end(&run);
            return match run["state"].as_str() {
                // One that was skipped has done all that was wanted of it: nothing.
                Some("succeeded" | "skipped") => Ok(()),
                _ => Err(CliError::RunFailed),
            };
        }
        if let Some(bound) = bound
            && began.elapsed() >= bound
        {
            return Err(CliError::TimedOut(format!(
                "run {id} has not ended within {}",
                duration::show(bound)
            )));
        }
        let left = bound.map_or(EVERY, |bound| bound.saturating_sub(began.elapsed()));
        tokio::select! {
            () = tokio::time::sleep(pause.min(left)) => {}
            () = &mut interrupted => return Err(screen.interrupted(client, id)),
        }
        pause = (pause * 2).min(EVERY);
    }
}

/// Has a run reached a terminal state?
pub(crate) fn has_ended(run: &Value) -> bool {
    !matches!(run["state"].as_str(), Some("waiting" | "running"))
}
