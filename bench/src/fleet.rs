//! A producer and a worker on private servers.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Failure;

/// How many tasks the worker runs at once.
const CONCURRENCY: &str = "256";

/// The processes, and where to reach them.
pub(crate) struct Fleet {
    pub(crate) amqp_url: String,
    pub(crate) prefix: String,
    api: String,
    http: reqwest::Client,
    producer: Child,
    worker: Child,
    _servers: (millrace_servers::RabbitMq, millrace_servers::Redis),
}

impl Fleet {
    /// Starts all of it, and returns when it is ready.
    pub(crate) async fn start(fsync: &'static str) -> Result<Self, Failure> {
        let servers = tokio::task::spawn_blocking(move || {
            (
                millrace_servers::RabbitMq::start(&[]),
                millrace_servers::Redis::start(&["--appendfsync", fsync]),
            )
        });
        let servers = servers.await?;
        let (amqp_url, redis_url) = (servers.0.url().to_owned(), servers.1.url().to_owned());
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = std::env::current_exe()?.with_file_name("millrace");
        if !program.exists() {
            return Err(format!(
                "{} is missing: build it first with `cargo build --release`",
                program.display()
            )
            .into());
        }
        let prefix = "bench".to_owned();
        let start = |arguments: &[&str]| {
            Command::new(&program)
                .args(arguments)
                .env("MILLRACE_AMQP_URL", &amqp_url)
                .env("MILLRACE_REDIS_URL", &redis_url)
                .env("MILLRACE_PREFIX", &prefix)
                .env("MILLRACE_LISTEN", format!("127.0.0.1:{port}"))
                .env("MILLRACE_LOG", "warn")
                .stdin(Stdio::null())
                .spawn()
        };
        let producer = start(&["producer"])?;
        let worker = start(&["worker", "--concurrency", CONCURRENCY])?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let api = format!("http://127.0.0.1:{port}");
        let fleet = Self { amqp_url, prefix, api, http, producer, worker, _servers: servers };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(answer) = fleet.get("/api/v1/workers").await
                && answer["workers"].as_array().is_some_and(|workers| !workers.is_empty())
            {
                return Ok(fleet);
            }
            if Instant::now() > deadline {
                return Err("the fleet is not ready after 30 s".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks the API.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let text = self.http.get(format!("{}{path}", self.api)).send().await?.text().await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Starts a run of a definition, and answers its id.
    pub(crate) async fn run(&self, definition: String) -> Result<String, Failure> {
        let body = serde_json::json!({ "definition": definition });
        let answer =
            self.http.post(format!("{}/api/v1/runs", self.api)).json(&body).send().await?.text().await?;
        let answer: Value = serde_json::from_str(&answer)?;
        answer["run_id"].as_str().map(str::to_owned).ok_or_else(|| format!("refused: {answer}").into())
    }

    /// How many attempts have ended, by the producer's own count.
    pub(crate) async fn ended(&self) -> Result<usize, Failure> {
        let text = self.http.get(format!("{}/metrics", self.api)).send().await?.text().await?;
        let counts = text.lines().filter(|line| line.starts_with("millrace_task_runs_total{"));
        let count =
            |line: &str| line.rsplit(' ').next().and_then(|count| count.parse::<f64>().ok()).unwrap_or(0.0);
        Ok(counts.map(count).sum::<f64>() as usize)
    }

    /// Resident memory of the producer, in megabytes.
    pub(crate) fn producer_mb(&self) -> f64 {
        resident_mb(self.producer.id())
    }

    /// Resident memory of the worker, in megabytes.
    pub(crate) fn worker_mb(&self) -> f64 {
        resident_mb(self.worker.id())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in [&mut self.worker, &mut self.producer] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
