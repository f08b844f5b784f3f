//! Runs that have failed and go on from where they did: asked for by several people at once, again under the same key, while
//! they are still under way, and as retries of retries.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use crate::client::{Client, run_of};
use crate::dice::Dice;
use crate::wanted_retries::WantedRetries;
use crate::workload::Workload;

impl Workload {
    /// Has some runs retried. With dice of its own, as for letters.
    pub(crate) fn retrying(mut self, dice: &mut Dice) -> Self {
        if dice.chance(400) {
            for wanted in &self.wanted {
                for who in 0..dice.below(3) {
                    let each = (0..dice.range(1, 6))
                        .map(|_| (dice.below(9_000), dice.range(1, 3), dice.chance(500)))
                        .collect();
                    self.retries.push(WantedRetries { run: run_of(&wanted.submission), who, each });
                }
            }
        }
        self
    }
}

impl Client {
    /// Asks for retries of a run. As it stands then, they may be refused.
    pub(crate) async fn retry(mut self, wanted: WantedRetries) {
        let mut last = wanted.run;
        for (number, (after_ms, times, is_chained)) in wanted.each.into_iter().enumerate() {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let of = if is_chained { last } else { wanted.run };
            let key = format!("{} {number} of {of}", wanted.who);
            for _ in 0..times {
                let may_be = [StatusCode::CONFLICT, StatusCode::NOT_FOUND];
                let (path, body) = (format!("/api/v1/runs/{of}/retry"), json!({"by": "ann"}));
                let (status, answer) = self.post_as(&path, &body, Some(&key), &may_be).await;
                if status.is_success() {
                    let new = answer["run_id"].as_str().and_then(|id| id.parse().ok());
                    self.process.world.lock().auditor.retried(of, &key, new);
                    last = new.unwrap_or(last);
                }
            }
        }
    }
}
