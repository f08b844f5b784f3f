//! What a producer answers to a message that asks for an answer.

use serde::{Deserialize, Serialize};

use crate::{RunId, WireCode, WorkflowId};

/// The reply of a producer to a message that has `reply_to`, sent after the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// The message was refused, for good.
    Error {
        /// Why it was refused.
        error: ReplyError,
    },
    /// A run was accepted, or the key was known and this is its run.
    Run {
        /// The id of the run.
        run_id: RunId,
        /// Whether the key was known: nothing new was started.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    },
    /// An array was submitted: one reply for each submission, in order.
    Many(Vec<Reply>),
    /// A workflow was changed.
    Workflow {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// The version of the workflow now.
        version: u32,
        /// Whether the definition was the same already.
        #[serde(default)]
        unchanged: bool,
    },
}

/// The error of a reply: a refusal with a stable code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyError {
    /// The code, which is stable, for programs.
    pub code: WireCode,
    /// The message for people: what was expected, and the fix.
    pub message: String,
}

impl ReplyError {
    /// A refusal with this code and this message.
    pub fn new(code: impl Into<WireCode>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}
