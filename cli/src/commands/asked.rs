//! What the steps of an embedded run ask people. Nobody can answer it: whoever waits for the run is told so.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use millrace_domain::definition::Parsed;
use serde_json::Value;

use crate::client::{Client, run_path};
use crate::output;

/// How often is looked whether something is asked.
const EVERY: Duration = Duration::from_millis(250);

/// Whether any step of a workflow may come to ask people.
pub(super) fn may_ask(one: &Parsed) -> bool {
    one.workflow.steps.iter().any(|step| step.question.is_some() || step.retry.ask.is_some())
}

/// Tells of each step that asks people, once.
pub(super) async fn tell(client: &Client) -> Infallible {
    let mut told = HashSet::new();
    loop {
        let runs = client.get("/api/v1/runs?state=running&limit=500").await.unwrap_or_default();
        for id in runs["runs"].as_array().into_iter().flatten().filter_map(|run| run["id"].as_str()) {
            let run = client.get(&run_path(id)).await.unwrap_or_default();
            for step in run["steps"].as_array().into_iter().flatten() {
                let name = step["name"].as_str().unwrap_or_default();
                if let Some(asks) = asked_by(step)
                    && told.insert((id.to_owned(), name.to_owned()))
                {
                    output::note(&format!(
                        "{name} {asks}; nobody can answer a run without a server (use millrace dev), so that it waits until then"
                    ));
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What a step asks, in words, without what would have to be typed.
fn asked_by(step: &Value) -> Option<&str> {
    let reason = step["reason"].as_str().unwrap_or_default();
    let is_asking = step["state"] == "asking" || reason.contains(" of which ask");
    is_asking.then(|| reason.split(" (millrace runs ").next().unwrap_or_default())
}
