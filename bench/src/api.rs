//! The REST API of a producer or of an embedded server, over connections that stay open.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;

/// The interval at which a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A client of one API.
#[derive(Clone)]
pub(crate) struct Api {
    base: String,
    http: reqwest::Client,
}

impl Api {
    /// A client of the server that listens at this port of loopback.
    pub(crate) fn new(port: u16) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { base: format!("http://127.0.0.1:{port}"), http })
    }

    /// Sends a GET, and returns the body of its answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        read(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Sends a POST, and returns the body of its answer.
    pub(crate) async fn post(&self, path: &str, body: String) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}{path}", self.base));
        read(request.header("content-type", "application/json").body(body)).await
    }

    /// Is the server ready to work?
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Counts the workers that are up.
    pub(crate) async fn workers(&self) -> Result<usize, Failure> {
        let answer = self.get("/api/v1/workers").await?;
        let workers = answer["workers"].as_array().into_iter().flatten();
        Ok(workers.filter(|worker| worker["state"] == "up").count())
    }

    /// Counts the attempts that have ended, by the producer's own metric.
    pub(crate) async fn ended(&self) -> Result<usize, Failure> {
        self.metric("millrace_task_runs_total").await
    }

    /// Sums a metric over its labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<usize, Failure> {
        let text = self.http.get(format!("{}/metrics", self.base)).send().await?.text().await?;
        let of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0);
        Ok(text.lines().filter(of).map(value).sum::<f64>() as usize)
    }

    /// Waits until so many attempts have ended. More than that is a failure: a task was started twice.
    pub(crate) async fn wait_ended(&self, wanted: usize, bound: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + bound;
        loop {
            let ended = self.ended().await?;
            if ended > wanted {
                return Err(format!("{ended} attempts have ended, {} too many", ended - wanted).into());
            }
            if ended == wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("only {ended} of {wanted} attempts have ended after {bound:?}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Starts a run, and returns its id once it is accepted.
    pub(crate) async fn run(&self, submission: &Value) -> Result<String, Failure> {
        let answer = self.post("/api/v1/runs", submission.to_string()).await?;
        answer["run_id"].as_str().map(str::to_owned).ok_or_else(|| format!("refused: {answer}").into())
    }

    /// Waits for the end of a run, and returns how long it took by its own stamps, created to ended: milliseconds.
    pub(crate) async fn took(&self, id: &str, bound: Duration) -> Result<f64, Failure> {
        let deadline = Instant::now() + bound;
        loop {
            let run = self.get(&format!("/api/v1/runs/{id}")).await?;
            match run["state"].as_str() {
                Some("succeeded") => {
                    let stamps = millis(&run["ended_at"]).zip(millis(&run["created_at"]));
                    return stamps.map(|(ended, created)| ended - created).ok_or_else(|| "no stamps".into());
                }
                Some("waiting" | "running") if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
                state => return Err(format!("run {id} is {state:?}").into()),
            }
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        return Err(format!("{status}: {}", text.chars().take(500).collect::<String>()).into());
    }
    Ok(serde_json::from_str(&text)?)
}

/// The milliseconds since the epoch of a stamp of the API.
pub(crate) fn millis(stamp: &Value) -> Option<f64> {
    let stamp: jiff::Timestamp = stamp.as_str()?.parse().ok()?;
    Some(stamp.as_millisecond() as f64)
}
