//! The contract between the pipeline and whatever runs a task.

use std::sync::Arc;

use async_trait::async_trait;
use millrace_domain::Outcome;
use millrace_domain::task::Task;
use serde_json::{Map, Value};

use crate::log::LogWriter;
use crate::settings::Settings;
use crate::stop::{Stop, StopReason};

/// Runs tasks of one kind.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one attempt to its end. When `context.stop` fires, everything the task started ends promptly, and
    /// the answer is [`Ended::stopped`]. Dropping the future kills what it started, without grace.
    async fn execute(&self, task: &Task, context: &Execution) -> Ended;
}

/// What an executor is given beside the task.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Where the task's output goes.
    pub log: LogWriter,
    /// Fires when the task must end.
    pub stop: Stop,
    /// The worker's settings.
    pub settings: Arc<Settings>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The closed word.
    pub outcome: Outcome,
    /// An exit code (shell) or a status (http). None when the task was killed or never started.
    pub code: Option<i32>,
    /// Why it did not succeed, for people.
    pub reason: Option<String>,
    /// What it gives to the steps after it.
    pub outputs: Map<String, Value>,
}

impl Ended {
    /// It did what it should.
    pub fn succeeded(code: Option<i32>, outputs: Map<String, Value>) -> Self {
        Self { outcome: Outcome::Succeeded, code, reason: None, outputs }
    }

    /// It ran and reported an error, or could not be run at all.
    pub fn failed(code: Option<i32>, reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, code, reason: Some(reason.into()), outputs: Map::new() }
    }

    /// It ended through no fault of its own, and nothing of it is left.
    pub fn lost(reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Lost, code: None, reason: Some(reason.into()), outputs: Map::new() }
    }

    /// It was stopped, and nothing of it is left.
    pub fn stopped(reason: StopReason, task: &Task) -> Self {
        let words = match (reason, task.timeout()) {
            (StopReason::TimedOut, Some(timeout)) => format!("timed out after {timeout:?}"),
            (StopReason::TimedOut, None) => "timed out".to_owned(),
            (StopReason::Cancelled, _) => "cancelled while running".to_owned(),
            (StopReason::Draining, _) => "its worker is shutting down".to_owned(),
            (StopReason::LeaseLost, _) => "its worker lost its lease: the store did not answer".to_owned(),
        };
        Self { outcome: reason.outcome(), code: None, reason: Some(words), outputs: Map::new() }
    }
}
