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

/// The error of a submission that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SubmissionError {
    /// The code, which is stable, for programs: `invalid-json`, `unknown-field`, `bad-field`, `too-large`,
    /// `too-many`, `ambiguous`, `empty`, `unsupported-version`, `expression-in-run`, `unknown-executor` or
    /// `not-supported-yet`. Of a message also `unsupported-encoding`.
    pub code: &'static str,
    /// The message: what was expected, and the fix.
    pub message: String,
}

impl SubmissionError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn field(name: &str, message: impl std::fmt::Display) -> Self {
        Self::new("bad-field", format!("`{name}`: {message}"))
    }
}
