//! The contract between the pipeline and whatever runs a task.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::Outcome;
use millrace_domain::task::Task;
use serde_json::{Map, Value};

use crate::log::LogWriter;
use crate::settings::Settings;
use crate::stop::{Stop, StopReason};

/// An executor: it runs tasks of one kind.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one attempt to its end. When `context.stop` fires, everything the task started ends promptly, and
    /// the answer is [`Ended::stopped`]. Dropping the future kills what it started, without grace.
    async fn execute(&self, task: &Task, context: &Execution) -> Ended;
}

/// The execution of one attempt: what an executor is given beside the task.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The log of the attempt, to which the task's output goes.
    pub log: LogWriter,
    /// The signal that the task must end.
    pub stop: Stop,
    /// The worker's settings.
    pub settings: Arc<Settings>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The outcome of the attempt.
    pub outcome: Outcome,
    /// The exit code (shell) or the status (http). None when the task was killed or never started.
    pub code: Option<i32>,
    /// The reason why it did not succeed, for people.
    pub reason: Option<String>,
    /// The outputs that it gives to the steps after it.
    pub outputs: Map<String, Value>,
    /// For how long the other side has said that everybody is to wait.
    pub retry_after: Option<Duration>,
    /// Whether the outputs came as JSON, and not as texts.
    pub is_typed: bool,
}

impl Ended {
    /// The end of an attempt that did what it should.
    pub fn succeeded(code: Option<i32>, outputs: Map<String, Value>) -> Self {
        Self { outcome: Outcome::Succeeded, code, reason: None, outputs, retry_after: None, is_typed: true }
    }

    /// The end of an attempt that reported an error, or could not be run at all.
    pub fn failed(code: Option<i32>, reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            code,
            reason: Some(reason.into()),
            outputs: Map::new(),
            retry_after: None,
            is_typed: true,
        }
    }

    /// The end of an attempt that was lost through no fault of its own, and of which nothing is left.
    pub fn lost(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Lost,
            code: None,
            reason: Some(reason.into()),
            outputs: Map::new(),
            retry_after: None,
            is_typed: true,
        }
    }

    /// The end of an attempt that was stopped, and of which nothing is left.
    pub fn stopped(reason: StopReason, task: &Task) -> Self {
        let words = match (reason, task.timeout()) {
            (StopReason::TimedOut, Some(timeout)) => format!("timed out after {timeout:?}"),
            (StopReason::TimedOut, None) => "timed out".to_owned(),
            (StopReason::Cancelled, _) => "cancelled while running".to_owned(),
            (StopReason::Draining, _) => "its worker is shutting down".to_owned(),
            (StopReason::LeaseLost, _) => "its worker lost its lease: the store did not answer".to_owned(),
        };
        Self {
            outcome: reason.outcome(),
            code: None,
            reason: Some(words),
            outputs: Map::new(),
            retry_after: None,
            is_typed: true,
        }
    }
}
