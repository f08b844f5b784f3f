//! What users write: parsed and checked, all errors at once.

mod nearest;
mod workflow;

pub use nearest::nearest;
pub use workflow::*;

/// What is wrong with a definition, and where.
#[derive(Debug, Clone)]
pub struct Problem {}
