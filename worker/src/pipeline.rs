//! What becomes of one task: claim → execute → finish → report → ack. It ends in a closed outcome, or its delivery
//! goes back.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{ClaimToken, Outcome, SessionId, Timestamp};
use millrace_store::{Claim, ClaimVerdict, Finish, FinishVerdict, SESSION_LEASE_MS};
use tokio::time::Instant;

use crate::claims::{Claims, Owners};
use crate::delivery::SharedDelivery;
use crate::executors::{Ended, Execution, Executor, Registry};
use crate::log::LogShipper;
use crate::running::Running;
use crate::session::Renewal;
use crate::settings::Settings;
use crate::stop::{Stop, StopHandle, StopReason};

/// The home of its rate is told of a task that has run for so long: what it used comes back a period after its start, however
/// long it runs.
const TELL_OF_START: Duration = Duration::from_millis(50);

/// The pipeline of a worker, with all that a task needs on its way.
pub(crate) struct Pipeline {
    pub(crate) claims: Claims,
    pub(crate) owners: Owners,
    pub(crate) executors: Registry,
    pub(crate) settings: Arc<Settings>,
    pub(crate) shipper: LogShipper,
    pub(crate) running: Arc<Running>,
    pub(crate) session: SessionId,
    pub(crate) host: String,
}

impl Pipeline {
    /// Runs one task that has a slot, from its claim to the ack of its delivery.
    pub(crate) async fn run(&self, task: &Task, delivery: &SharedDelivery) {
        let token = ClaimToken(self.settings.ambient.random_id());
        let claim = Claim { task: task.id(), token, session: self.session };
        let Some((verdict, asked)) = self.claims.claim(claim).await else { return delivery.give_back() };
        match verdict {
            ClaimVerdict::Granted => self.execute(task, token, asked, delivery).await,
            ClaimVerdict::Finished { result } => {
                self.owners.report(task.run.partition(), result).await;
                delivery.done();
            }
            ClaimVerdict::Held { session } => {
                // A duplicate. Whoever holds it may be dead: its owner should look now.
                if session != self.session {
                    self.owners.hint(task.id(), session).await;
                }
                delivery.done();
            }
            ClaimVerdict::Stale => delivery.done(),
            ClaimVerdict::Unknown => self.move_to_owner(task, false, delivery).await,
        }
    }

    /// Executes a claimed attempt, and sees to it that its outcome is stored and reported.
    async fn execute(&self, task: &Task, token: ClaimToken, asked: Renewal, delivery: &SharedDelivery) {
        let waited = self.now().since(task.dispatched_at);
        metrics::histogram!("millrace_task_queue_seconds").record(waited.as_secs_f64());
        let (running, handle, stop) = self.running.begin(task.id());
        // Whoever was frozen between claim and answer has a claim that may be somebody else's by now.
        if asked.age() >= Duration::from_millis(SESSION_LEASE_MS) {
            handle.stop(StopReason::LeaseLost);
        }
        let started = (self.now(), Instant::now());
        let ended = {
            let executing = self.run_executor(task, &handle, stop.clone());
            tokio::pin!(executing);
            tokio::select! {
                biased;
                ended = &mut executing => ended,
                () = self.tell_of_start(task) => executing.await,
            }
        };
        metrics::histogram!("millrace_task_duration_seconds").record(started.1.elapsed().as_secs_f64());
        // The drain takes nobody's attempt: it goes back as if it had never been claimed.
        let drained = stop.now() == Some(StopReason::Draining) && ended.outcome == Outcome::Lost;
        // What it used of a rate cannot be used again: its next attempt needs a reserve of its own.
        let goes_back = drained && !task.at_most_once && task.rate.is_none();
        if goes_back && self.claims.hand_back(task.id(), token).await {
            delivery.give_back();
            return drop(running);
        }
        let result = self.result(task, ended, started.0);
        let text = serde_json::to_string(&result).unwrap_or_default();
        let finish = Finish { task: task.id(), token, result: text.clone() };
        match self.claims.finish(finish).await {
            Some(FinishVerdict::Stored) => {
                if !self.owners.report(task.run.partition(), text).await {
                    tracing::warn!(task = %task.id(), "the report is not confirmed; the owner will find the stored outcome");
                }
            }
            Some(FinishVerdict::Stale) => {
                tracing::info!(task = %task.id(), outcome = %result.outcome, "the attempt was not ours any more");
                dropped("stale");
            }
            Some(FinishVerdict::Unknown) => {
                tracing::warn!(task = %task.id(), outcome = %result.outcome, "the run of the attempt is not stored any more");
                dropped("unknown-run");
                self.move_to_owner(task, true, delivery).await;
                return drop(running);
            }
            None => {
                tracing::error!(task = %task.id(), "the outcome could not be stored");
                dropped("not-stored");
            }
        }
        delivery.done();
        drop(running);
    }

    /// Tells the home of the task's rate that it has started, unless it ends at once and tells by that.
    async fn tell_of_start(&self, task: &Task) {
        let Some(rate) = task.rate else { return std::future::pending().await };
        tokio::time::sleep(TELL_OF_START).await;
        self.owners.started(task.id(), rate).await;
    }

    /// Moves a task to its owner since its run is not stored: forgotten, or lost. The owner decides which.
    async fn move_to_owner(&self, task: &Task, ran: bool, delivery: &SharedDelivery) {
        let Some(text) = delivery.text_of(task) else { return delivery.give_back() };
        match self.owners.orphan(task.run, &text, ran).await {
            true => delivery.done(),
            false => delivery.give_back(),
        }
    }

    /// Runs the task's executor within the task's timeout, and waits for the log.
    async fn run_executor(&self, task: &Task, handle: &StopHandle, stop: Stop) -> Ended {
        let log = self.shipper.writer(task.id(), self.settings.log_budget_bytes);
        let execution = Execution { log, stop, settings: Arc::clone(&self.settings) };
        let executing = self.executors.execute(task, &execution);
        tokio::pin!(executing);
        let ended = match task.timeout() {
            None => executing.await,
            Some(timeout) => tokio::select! {
                biased;
                ended = &mut executing => ended,
                () = tokio::time::sleep(timeout) => {
                    handle.stop(StopReason::TimedOut);
                    executing.await
                }
            },
        };
        execution.log.finish();
        if !self.shipper.flush(task.id()).await {
            tracing::warn!(task = %task.id(), "its log is not stored yet");
        }
        ended
    }

    /// The result of an attempt that ended, as it is stored and reported.
    fn result(&self, task: &Task, ended: Ended, started_at: Timestamp) -> TaskResult {
        TaskResult {
            run: task.run,
            step: task.index,
            item: task.item,
            attempt: task.attempt,
            outcome: ended.outcome,
            started_at,
            ended_at: self.now(),
            code: ended.code,
            reason: ended.reason,
            retry_after_ms: ended.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            is_typed: ended.is_typed && !ended.outputs.is_empty(),
            outputs: ended.outputs,
            worker: self.host.clone(),
        }
    }

    /// The time of day.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.settings.ambient.wall_millis())
    }
}

/// Counts an outcome that goes nowhere, and why.
fn dropped(why: &'static str) {
    metrics::counter!("millrace_dropped_total", "what" => "outcome", "why" => why).increment(1);
}
