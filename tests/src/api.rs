//! A client of a producer's API, as anybody could write one.

use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::wait_until;

/// The longest that one answer may take.
const ANSWER_BOUND: Duration = Duration::from_secs(40);

/// The states of a run that do not change any more.
const TERMINAL: [&str; 5] = ["succeeded", "failed", "timed_out", "cancelled", "skipped"];

/// A client of the API of one process.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    /// A client of `http://address:port`.
    pub fn new(base: impl Into<String>) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let http = Client::builder().no_proxy().timeout(ANSWER_BOUND).build().unwrap();
        Self { http, base: base.into(), token: None }
    }

    /// The same client, showing a token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The address of the process: `http://address:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request, for what the methods here do not say: headers, other hosts, bodies that are no JSON.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request, and returns the status and the body of its answer; a body that is no JSON comes as a text.
    ///
    /// # Errors
    /// When there is no answer, with the reason.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| format!("{path}: {error:?}"))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| format!("{path}: {error:?}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Sends a GET, and returns the body of a 2xx answer.
    ///
    /// # Errors
    /// For any other answer, and for none.
    pub async fn try_get(&self, path: &str) -> Result<Value, String> {
        good(path, self.send(Method::GET, path, None).await?)
    }

    /// Sends a POST, and returns the body of a 2xx answer.
    ///
    /// # Errors
    /// For any other answer, and for none.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        good(path, self.send(Method::POST, path, Some(body)).await?)
    }

    /// Sends a GET, and returns the body of its answer, which must be 2xx.
    pub async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends a POST, and returns the body of its answer, which must be 2xx.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The number of partitions that the producer owns, by its metrics.
    ///
    /// # Errors
    /// When it does not answer, or does not say so yet.
    pub async fn partitions_owned(&self) -> Result<u32, String> {
        let metrics = self.try_get("/metrics").await?;
        let text = metrics.as_str().unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("millrace_partitions_owned "));
        line.and_then(|number| number.parse().ok()).ok_or_else(|| "no such metric yet".to_owned())
    }

    /// Sends a DELETE, and returns the status and the body of its answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(Method::DELETE, path, None).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Stores a definition.
    pub async fn apply(&self, definition: &str) {
        self.post("/api/v1/workflows", &json!({ "definition": definition })).await;
    }

    /// Starts a run, and returns its id.
    pub async fn submit(&self, submission: &Value) -> String {
        let answer = self.post("/api/v1/runs", submission).await;
        answer["run_id"].as_str().unwrap_or_else(|| panic!("no run_id in {answer}")).to_owned()
    }

    /// Submits an array, the same again and again until each is accepted, and returns the ids. Give them keys.
    pub async fn submit_all(&self, submissions: &[Value], within: Duration) -> Vec<String> {
        let body = Value::from(submissions.to_vec());
        wait_until(within, "all submissions are accepted", async || {
            let answers = self.try_post("/api/v1/runs", &body).await?;
            let answers = answers.as_array().cloned().unwrap_or_default();
            let id = |answer: &Value| answer["run_id"].as_str().map(str::to_owned).ok_or(answer.to_string());
            let ids = answers.iter().map(id).collect::<Result<Vec<_>, _>>()?;
            if ids.len() == submissions.len() { Ok(ids) } else { Err(format!("{} answers", ids.len())) }
        })
        .await
    }

    /// Starts a run of a stored workflow, and returns its id.
    pub async fn trigger(&self, workflow: &str) -> String {
        self.submit(&json!({ "workflow": workflow })).await
    }

    /// The run with this id, with its steps.
    pub async fn run(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/runs/{id}")).await
    }

    /// All runs, or those of one workflow, without steps.
    ///
    /// # Errors
    /// When the producer does not answer.
    pub async fn runs(&self, workflow: Option<&str>) -> Result<Vec<Value>, String> {
        let mut runs = Vec::new();
        let mut cursor = None;
        loop {
            let workflow = workflow.map(|name| format!("&workflow={name}")).unwrap_or_default();
            let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.try_get(&format!("/api/v1/runs?limit=500{workflow}{after}")).await?;
            runs.extend(page["runs"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(runs),
            }
        }
    }

    /// Waits until a run has ended, and returns it with its steps. Answers that fail meanwhile are asked for again.
    pub async fn ended(&self, id: &str, within: Duration) -> Value {
        wait_until(within, &format!("run {id} has ended"), async || {
            let run = self.try_get(&format!("/api/v1/runs/{id}")).await?;
            if is_terminal(&run) { Ok(run) } else { Err(run.to_string()) }
        })
        .await
    }

    /// Waits until there are `count` runs and all have ended, and returns them without steps.
    pub async fn all_ended(&self, count: usize, within: Duration) -> Vec<Value> {
        wait_until(within, &format!("{count} runs have ended"), async || {
            let runs = self.runs(None).await?;
            let open: Vec<&Value> = runs.iter().filter(|run| !is_terminal(run)).collect();
            match (runs.len() == count, open.first()) {
                (true, None) => Ok(runs),
                (_, first) => {
                    Err(format!("{} runs, {} of them open, such as {first:?}", runs.len(), open.len()))
                }
            }
        })
        .await
    }

    /// Waits until a step of a run is in a state, and returns the step.
    pub async fn step_is(&self, id: &str, step: &str, state: &str, within: Duration) -> Value {
        wait_until(within, &format!("step {step} is {state}"), async || {
            let run = self.try_get(&format!("/api/v1/runs/{id}")).await?;
            let found =
                run["steps"].as_array().and_then(|steps| steps.iter().find(|one| one["name"] == step));
            found.filter(|one| one["state"] == state).cloned().ok_or_else(|| run.to_string())
        })
        .await
    }
}

fn good(path: &str, (status, body): (u16, Value)) -> Result<Value, String> {
    if (200..300).contains(&status) { Ok(body) } else { Err(format!("{path}: {status} {body}")) }
}

fn is_terminal(run: &Value) -> bool {
    run["state"].as_str().is_some_and(|state| TERMINAL.contains(&state))
}
