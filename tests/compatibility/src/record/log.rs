//! What the recording knows of itself: its runs by name, and what the API answered.

use std::time::Duration;

use millrace_compatibility::recording::now;
use millrace_tests::Api;
use serde_json::{Map, Value, json};

/// The longest that a run may take to get where it is wanted.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// The runs and the answers.
#[derive(Debug, Default)]
pub(crate) struct Log {
    runs: Map<String, Value>,
    answers: Map<String, Value>,
}

impl Log {
    /// Notes a run that stays as it is.
    pub(crate) fn rests(&mut self, name: &str, id: &str) {
        self.runs.insert(name.to_owned(), json!({ "id": id }));
    }

    /// Notes a run that is to end so, whoever goes on with it.
    pub(crate) fn ends(&mut self, name: &str, id: &str, state: &str) {
        self.runs.insert(name.to_owned(), json!({"id": id, "ends": state}));
    }

    /// The id of a run that was noted.
    pub(crate) fn id(&self, name: &str) -> &str {
        self.runs[name]["id"].as_str().unwrap()
    }

    /// Submits, waits until the run has ended in this state, and notes it.
    pub(crate) async fn ended(&mut self, api: &Api, name: &str, submission: &Value, state: &str) {
        let id = api.submit(submission).await;
        let run = api.ended(&id, BOUND).await;
        assert_eq!(run["state"], state, "{run}");
        self.rests(name, &id);
    }

    /// Keeps what the API answers: of each run that rests, of workflows, of logs, of the simple calls.
    pub(crate) async fn ask(&mut self, api: &Api, workflows: &[&str]) {
        let mut paths = vec!["/api/v1/workflows".to_owned(), "/api/v1/workflows/report?version=1".to_owned()];
        paths.extend(workflows.iter().map(|name| format!("/api/v1/workflows/{name}")));
        for run in self.runs.values().filter(|run| run.get("ends").is_none()) {
            let id = run["id"].as_str().unwrap();
            paths.extend([format!("/api/v1/runs/{id}"), format!("/api/v1/tasks/{id}/status")]);
        }
        let report = self.runs["report"]["id"].as_str().unwrap();
        paths.extend(["extract", "tell"].map(|step| format!("/api/v1/runs/{report}/logs?step={step}")));
        for path in paths {
            let answer = api.get(&path).await;
            self.answers.insert(path, answer);
        }
    }

    /// All of it, as of now.
    pub(crate) fn about(self) -> Value {
        json!({"recorded_at": now(), "runs": self.runs, "answers": self.answers})
    }
}
