//! W1 and W7: tasks from the first submission to the last result in the store, by the producer's own count.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::amqp;
use crate::api::Api;
use crate::failure::Failure;
use crate::fleet::{Fleet, PREFIX};

/// The longest that one measurement may take.
pub(crate) const BOUND: Duration = Duration::from_secs(300);

/// The requests under way at a time, each on a connection of its own that stays open.
const BULK_CONNECTIONS: usize = 4;
const SINGLE_CONNECTIONS: usize = 32;

/// The no-op task of W1, about as long as the message of the raw limit.
pub(crate) const NOOP: &str =
    r#"{"v":1,"uses":"noop","labels":{"key":"valuevalue","pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}"#;

/// The shell task of W7: the smallest that is a process.
pub(crate) const SHELL: &str = r#"{"v":1,"run":"true"}"#;

/// Submits over AMQP, a message for each `in_arrays_of` tasks, and returns the tasks a second.
pub(crate) async fn over_amqp(
    fleet: &Fleet,
    task: &str,
    tasks: usize,
    in_arrays_of: usize,
) -> Result<f64, Failure> {
    let (_connection, channel) = amqp::channel(&fleet.amqp_url()).await?;
    let before = fleet.api.ended().await?;
    let payload = payload(task, in_arrays_of).into_bytes();
    let began = Instant::now();
    let publish = tokio::spawn(async move {
        let payloads = (0..tasks / in_arrays_of).map(|_| payload.clone());
        amqp::publish(&channel, PREFIX, "submit", payloads).await
    });
    let tasks = tasks / in_arrays_of * in_arrays_of;
    fleet.api.wait_ended(before + tasks, BOUND).await?;
    let took = began.elapsed();
    publish.await??;
    Ok(tasks as f64 / took.as_secs_f64())
}

/// Submits over REST, a request for each `in_arrays_of` tasks, and returns the tasks a second.
pub(crate) async fn over_rest(
    api: &Api,
    task: &str,
    tasks: usize,
    in_arrays_of: usize,
) -> Result<f64, Failure> {
    let connections = if in_arrays_of == 1 { SINGLE_CONNECTIONS } else { BULK_CONNECTIONS };
    let before = api.ended().await?;
    let payload = payload(task, in_arrays_of);
    let began = Instant::now();
    let client = api.clone();
    let submit = tokio::spawn(async move {
        let requests = (0..tasks / in_arrays_of).map(|_| client.post("/api/v1/runs", payload.clone()));
        stream::iter(requests)
            .buffer_unordered(connections)
            .try_for_each(|answer| async move { accepted(&answer) })
            .await
    });
    let tasks = tasks / in_arrays_of * in_arrays_of;
    api.wait_ended(before + tasks, BOUND).await?;
    let took = began.elapsed();
    submit.await??;
    Ok(tasks as f64 / took.as_secs_f64())
}

fn accepted(answer: &serde_json::Value) -> Result<(), Failure> {
    let parts = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
    match parts.iter().find(|part| part["run_id"].is_null()) {
        Some(refused) => Err(format!("refused: {refused}").into()),
        None => Ok(()),
    }
}

pub(crate) fn payload(task: &str, in_arrays_of: usize) -> String {
    match in_arrays_of {
        1 => task.to_owned(),
        many => format!("[{}]", vec![task; many].join(",")),
    }
}
