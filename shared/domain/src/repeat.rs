//! How often a step is done again although it succeeded: until something is so.

use std::time::Duration;

use crate::expression::Condition;

/// The repetition of a step: it is done until its condition is true, and between two times nothing holds a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// The condition, which sees the outputs of the attempt that just succeeded.
    pub until: Condition,
    /// The number of times that it may be done and succeed; at least 1. It fails when the condition is still not true.
    pub max: u32,
    /// The wait before the next time.
    pub delay: Duration,
}
