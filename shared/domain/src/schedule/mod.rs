//! When runs start by themselves.

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {}
