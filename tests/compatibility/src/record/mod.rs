//! How a recording is made.

pub(crate) mod coverage;
pub(crate) mod dev;
pub(crate) mod fleet;
mod log;
mod stage;
mod traffic;
mod workflows;
