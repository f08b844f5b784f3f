//! `${{ }}` expressions: minijinja inside those marks and nowhere else, strict, bounded, without loops, blocks,
//! comments or access to anything but [`Scope`].
//!
//! `condition` is an expression that is true or false. `template` splits a text into words and expressions, `token` reads an expression far enough to find its
//! end, `names` says what it refers to, `comparison` makes comparing text with a number an error, `operands` multiplying anything but numbers, and
//! `engine` evaluates it in a [`Scope`]. `texts` and `dates` are filters of our own, and `budget` bounds what they and the operators make. What a definition may refer to where is not decided here.

mod budget;
mod comparison;
mod condition;
mod dates;
mod engine;
mod excerpt;
mod names;
mod operands;
mod scope;
mod template;
mod templated;
mod texts;
mod token;

pub(crate) use budget::{MAX_VALUE_BYTES, left_beside};
pub use condition::Condition;
pub use names::Use;
pub use scope::{Fire, Given, Outputs, Scope};
pub use template::Template;
pub use templated::Templated;

/// The error of an expression that cannot be read, or has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// The code, which is stable, for programs: `expression-syntax`, `unknown-name`, `undefined` or
    /// `expression-failed`.
    pub code: &'static str,
    /// The message: what was expected.
    pub message: String,
}

impl ExpressionError {
    fn syntax(message: impl Into<String>) -> Self {
        Self { code: "expression-syntax", message: message.into() }
    }

    fn unknown(message: impl Into<String>) -> Self {
        Self { code: "unknown-name", message: message.into() }
    }

    fn undefined(message: impl Into<String>) -> Self {
        Self { code: "undefined", message: message.into() }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self { code: "expression-failed", message: message.into() }
    }
}
