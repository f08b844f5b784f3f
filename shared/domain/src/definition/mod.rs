//! What users write: parsed and checked, all errors at once.

mod workflow;

pub use workflow::*;

/// What is wrong with a definition, and where.
#[derive(Debug, Clone)]
pub struct Problem {}
