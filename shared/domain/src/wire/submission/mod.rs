//! What a client submits: an ad-hoc task, or a run of a stored workflow.
//!
//! [`object`](Submission) is what the client wrote, `parse` takes bytes to objects, and `adhoc` makes the workflow of a
//! task that has no definition. This is the path of every task that is submitted: JSON only, and nothing is read
//! twice unless something is wrong.

mod adhoc;
mod key;
mod object;
mod parse;

pub use key::IdempotencyKey;
pub use object::Submission;

use crate::Code;

/// The error of a submission that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SubmissionError {
    /// The code, for programs.
    pub code: Code,
    /// The message: what was expected, and the fix.
    pub message: String,
}

impl SubmissionError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn field(name: &str, message: impl std::fmt::Display) -> Self {
        Self::new(Code::BadField, format!("`{name}`: {message}"))
    }
}
