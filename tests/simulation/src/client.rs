//! Clients: they ask until they are answered, always under the same key, and hold the fleet to what it said.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use millrace_broker::{Broker, Outgoing, Queue, Route};
use millrace_domain::message::Reply;
use millrace_domain::submission::{IdempotencyKey, Submission};
use millrace_domain::{RunId, WorkflowId};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;
use uuid::Uuid;

use crate::broker::{MemoryBroker, PREFIX};
use crate::dice::Dice;
use crate::fleet::{Fleet, PARTITIONS};
use crate::process::Process;
use crate::workload::{Wanted, WantedAct, Way};

/// The time that a client waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const BODY_BYTES: usize = 1 << 20;

/// A client of the fleet, over messages and over the API.
pub(crate) struct Client {
    fleet: Arc<Fleet>,
    pub(crate) process: Arc<Process>,
    dice: Dice,
}

impl Client {
    pub(crate) fn new(fleet: &Arc<Fleet>, dice: &mut Dice) -> Self {
        let process = fleet.process("client", false, dice);
        Self { fleet: Arc::clone(fleet), process, dice: dice.fork() }
    }

    /// Stores definitions.
    pub(crate) async fn apply(&mut self, definitions: &[&'static str]) {
        for definition in definitions {
            self.post("/api/v1/workflows", &json!({ "definition": definition })).await;
        }
    }

    /// Stores definitions in place of others, each after so many milliseconds.
    pub(crate) async fn apply_later(mut self, definitions: Vec<(u64, &'static str)>) {
        let began = Instant::now();
        for (after_ms, definition) in definitions {
            tokio::time::sleep_until(began + Duration::from_millis(after_ms)).await;
            self.apply(&[definition]).await;
        }
    }

    /// Pauses and resumes the pool of all tasks, and resumes it in the end.
    pub(crate) async fn pause_pool(mut self, acts: Vec<(u64, bool)>) {
        for (after_ms, is_to_pause) in acts.into_iter().chain([(1_000, false)]) {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let deed = if is_to_pause { "pause" } else { "resume" };
            let path = format!("/api/v1/queues/default/{deed}");
            // As the pool stands, it may be refused; so is what was done, and not answered.
            self.post_as(&path, &json!({"by": "ann"}), None, &[StatusCode::CONFLICT]).await;
        }
    }

    /// Submits something in all the ways in which it is wanted, and cancels it when that is wanted.
    pub(crate) async fn submit(mut self, wanted: Wanted) {
        tokio::time::sleep(Duration::from_millis(wanted.after_ms)).await;
        let run = run_of(&wanted.submission);
        for way in &wanted.ways {
            match way {
                Way::Told => self.tell(&wanted.submission).await,
                Way::Asked => self.ask(&wanted.submission, run).await,
                Way::Api => {
                    let body = serde_json::to_value(&wanted.submission).unwrap_or_default();
                    let answer = self.post("/api/v1/runs", &body).await;
                    let answered = answer["run_id"].as_str().and_then(|id| id.parse().ok());
                    self.promised(answered, run, &format!("the API ({answer})"));
                }
            }
        }
        for (number, WantedAct { after_ms, step, deed: (deed, body) }) in wanted.acts.iter().enumerate() {
            tokio::time::sleep(Duration::from_millis(*after_ms)).await;
            let id = format!("{run} {number}");
            let path = match *step {
                "" => format!("/api/v1/runs/{run}/{deed}"),
                step => format!("/api/v1/runs/{run}/steps/{step}/{deed}"),
            };
            // As the step stands, it may be refused.
            let may_be = [StatusCode::CONFLICT, StatusCode::NOT_FOUND];
            let (status, _) = self.post_as(&path, body, Some(&id), &may_be).await;
            self.process.world.lock().auditor.acted(run, id, status.is_success());
        }
        // Only what was answered for can be stopped by its id.
        let known = wanted.ways.iter().any(|way| *way != Way::Told);
        if let (Some(after), true) = (wanted.cancelled_after_ms, known) {
            tokio::time::sleep(Duration::from_millis(after)).await;
            self.post(&format!("/api/v1/runs/{run}/cancel"), &Value::Null).await;
        }
        if wanted.is_paused {
            self.see_to_its_end(run).await;
        }
    }

    /// Resumes a run until it has ended: an act of before may be late.
    async fn see_to_its_end(&mut self, run: RunId) {
        for number in 0.. {
            let (path, id) = (format!("/api/v1/runs/{run}/resume"), format!("{run} end {number}"));
            let may_be = [StatusCode::CONFLICT, StatusCode::NOT_FOUND];
            let (status, answer) = self.post_as(&path, &Value::Null, Some(&id), &may_be).await;
            self.process.world.lock().auditor.acted(run, id, status.is_success());
            let has_ended = answer["error"]["message"].as_str().is_some_and(|why| why.contains("has ended"));
            if has_ended || status == StatusCode::NOT_FOUND {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    fn promised(&self, answered: Option<RunId>, expected: RunId, by: &str) {
        let mut world = self.process.world.lock();
        world.note(self.process.number, "promise", || format!("{by}: {answered:?}"));
        if answered != Some(expected) {
            world
                .auditor
                .object(10, || format!("{by} answered for {answered:?} under the key of {expected}"));
        }
        world.auditor.promise(expected, by);
    }

    /// Publishes a submission; its confirm is the promise.
    async fn tell(&self, submission: &Submission) {
        let broker = MemoryBroker::of(Arc::clone(&self.process));
        let message = self.message(submission);
        let sent = async {
            broker.declare(&Queue::Submit).await?;
            broker.publish(vec![message]).await.into_iter().collect::<Result<(), _>>()
        };
        if sent.await.is_ok() {
            self.process.world.lock().auditor.promised.insert(run_of(submission));
        }
    }

    fn message(&self, submission: &Submission) -> Outgoing {
        let body = serde_json::to_vec(submission).unwrap_or_default();
        Outgoing::new(Route::Queue(Queue::Submit), body)
    }

    /// Publishes a submission until it is answered.
    async fn ask(&mut self, submission: &Submission, run: RunId) {
        let broker = MemoryBroker::of(Arc::clone(&self.process));
        let replies = Queue::Replies(Uuid::from_u128(u128::from(self.dice.roll())));
        loop {
            let Ok(mut consumer) = broker.consume(&replies, 10).await else { continue };
            let mut message = self.message(submission);
            message.properties.reply_to = Some(replies.name(PREFIX));
            let _ = broker.declare(&Queue::Submit).await;
            broker.publish(vec![message]).await;
            let Ok(Some(answer)) = tokio::time::timeout(PATIENCE, consumer.recv()).await else { continue };
            let reply = serde_json::from_slice::<Reply>(&answer.payload);
            answer.ack();
            let answered = match &reply {
                Ok(Reply::Run { run_id, .. }) => Some(*run_id),
                _ => None,
            };
            return self.promised(answered, run, &format!("a reply ({reply:?})"));
        }
    }

    /// Posts a body until the answer is a good one.
    async fn post(&mut self, path: &str, body: &Value) -> Value {
        self.post_as(path, body, None, &[]).await.1
    }

    /// Posts a body under a key until the answer is a good one, or a refusal that may be.
    pub(crate) async fn post_as(
        &mut self,
        path: &str,
        body: &Value,
        key: Option<&str>,
        may_be: &[StatusCode],
    ) -> (StatusCode, Value) {
        loop {
            let members = self.fleet.members();
            let member = self.dice.pick(&members[..self.fleet.producers]).clone();
            if let Some(member) = member
                && let Some(router) = member.router
            {
                let asked = async {
                    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
                    let request = key
                        .into_iter()
                        .fold(Request::post(path), |request, key| request.header("idempotency-key", key))
                        .header(header::CONTENT_TYPE, "application/json")
                        .header(header::HOST, "localhost")
                        .body(body)
                        .ok()?;
                    let response = router.oneshot(request).await.ok()?;
                    let status = response.status();
                    let bytes = to_bytes(response.into_body(), BODY_BYTES).await.ok()?;
                    Some((status, serde_json::from_slice::<Value>(&bytes).unwrap_or_default()))
                };
                let answer = tokio::select! {
                    biased;
                    () = member.process.died() => None,
                    answer = tokio::time::timeout(4 * PATIENCE, asked) => answer.ok().flatten(),
                };
                if let Some((status, answer)) = answer {
                    if status.is_success() || may_be.contains(&status) {
                        return (status, answer);
                    }
                    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        let refused = format!("POST {path} was refused with {status}: {answer}");
                        self.process.world.lock().auditor.object(2, || refused);
                        return (status, answer);
                    }
                }
            }
            tokio::time::sleep(self.dice.millis(100, 1_000)).await;
        }
    }
}

/// The run of a key.
pub(crate) fn run_of(submission: &Submission) -> RunId {
    let adhoc = WorkflowId::adhoc();
    let key = submission.idempotency_key.as_ref().map(IdempotencyKey::as_str).unwrap_or_default();
    RunId::of_key(submission.workflow.as_ref().unwrap_or(&adhoc), key, PARTITIONS)
}
