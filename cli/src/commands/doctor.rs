//! `doctor`: is everything as it must be? Each finding says what to do.

use std::time::Duration;

use clap::Args;
use millrace_broker::Broker;
use millrace_runtime::config::Settings;
use millrace_runtime::secret::mask_url;
use millrace_store::{StoreError, mismatch};
use serde_json::{Value, json};

use crate::client::{Client, DEFAULT_SERVER};
use crate::error::CliError;
use crate::options::{Common, Output, Servers};
use crate::{output, servers};

/// The longest that a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    servers: Servers,
}

/// Checks everything, and fails when something is wrong.
pub(crate) async fn run(common: &Common, args: DoctorArgs) -> Result<(), CliError> {
    let settings = common.settings(&args.servers)?;
    let mut findings = vec![shell(), temporary()];
    let (servers, producer) = tokio::join!(servers(&settings), producer(common, &settings));
    findings.extend(servers);
    findings.push(producer);
    let wrong = findings.iter().filter(|finding| finding["ok"] == false).count();
    if common.output == Output::Table {
        for finding in &findings {
            let mark = if finding["ok"] == true { "ok  " } else { "FAIL" };
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            output::line(&format!("{mark}  {:10} {}", text("check"), text("detail")));
        }
    } else {
        output::list(common.output, &findings, &[]);
    }
    match wrong {
        0 => Ok(()),
        count => Err(CliError::Failed(format!("{count} of {} checks failed", findings.len()))),
    }
}

fn finding(check: &str, result: Result<String, String>) -> Value {
    match result {
        Ok(detail) => json!({"check": check, "ok": true, "detail": detail}),
        Err(detail) => json!({"check": check, "ok": false, "detail": detail}),
    }
}

fn shell() -> Value {
    let run = std::process::Command::new("sh").args(["-e", "-c", "exit 0"]).status();
    finding(
        "shell",
        match run {
            Ok(status) if status.success() => Ok("sh runs scripts".to_owned()),
            Ok(status) => Err(format!("sh ended with {status}")),
            Err(error) => Err(format!("sh cannot be run: {error}; shell tasks need it")),
        },
    )
}

fn temporary() -> Value {
    let folder = std::env::temp_dir();
    finding(
        "temp",
        match tempfile::tempdir() {
            Ok(_) => Ok(format!("{} can be written", folder.display())),
            Err(error) => Err(format!(
                "{} cannot be written: {error}; tasks need it for their outputs",
                folder.display()
            )),
        },
    )
}

async fn servers(settings: &Settings) -> [Value; 2] {
    let (broker, store) = tokio::join!(broker(settings), store(settings));
    [finding("broker", broker), finding("store", store)]
}

async fn broker(settings: &Settings) -> Result<String, String> {
    let config = settings.broker().map_err(|e| e.to_string())?;
    let amqp = mask_url(&config.url);
    let broker = servers::broker(&config, "doctor").map_err(|e| e.to_string())?;
    let answer = match tokio::time::timeout(PATIENCE, broker.admitted()).await {
        Ok(Ok(())) => Ok(format!("{amqp} answers")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "{}; is RabbitMQ up, and is MILLRACE_AMQP_URL right? (a fleet needs it, `millrace dev` and `millrace \
             run` do not)",
            broker.trouble()
        )),
    };
    broker.close().await;
    answer
}

async fn store(settings: &Settings) -> Result<String, String> {
    let config = settings.store().map_err(|e| e.to_string())?;
    let redis = mask_url(&config.url);
    let queues = if settings.has_quorum_queues().map_err(|e| e.to_string())? { "quorum" } else { "classic" };
    let store = servers::store(&config).await.map_err(|e| e.to_string())?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match store.cluster().await {
            Ok((cluster, now)) => {
                let skew = now.as_millis() - millrace_runtime::ambient::wall_millis();
                let answers = format!("{redis} answers; its clock is {skew} ms from ours");
                break Ok(match cluster {
                    None => format!("{answers}; no producer has founded a cluster there yet"),
                    Some(cluster) => match mismatch(&cluster, settings.partitions, queues) {
                        Some(why) => break Err(why),
                        None => format!("{answers}; a cluster of {} partitions is there", cluster.partitions),
                    },
                });
            }
            Err(error @ (StoreError::Unsafe(_) | StoreError::Configuration(_))) => {
                break Err(error.to_string());
            }
            Err(error) if tokio::time::Instant::now() > deadline => {
                break Err(format!(
                    "{error}; is Redis up, and is MILLRACE_REDIS_URL right? (as for the broker)"
                ));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn producer(common: &Common, settings: &Settings) -> Value {
    let server = settings.server.clone().unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let asked = async { Client::of(common)?.get("/api/v1/workers").await };
    finding(
        "producer",
        match asked.await {
            Ok(answer) => {
                let count = answer["workers"].as_array().map_or(0, Vec::len);
                Ok(format!("{server} answers; {count} workers"))
            }
            Err(error) => Err(error.to_string()),
        },
    )
}
