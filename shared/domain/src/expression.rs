//! `${{ }}` expressions. Placeholder for the contract.

/// A text with expressions in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {}

/// JSON with expressions in its texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Templated {}
