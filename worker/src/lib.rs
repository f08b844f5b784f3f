//! Consume, claim, execute, report, ack.
//!
//! A reader's path through execution: [`executors`] (what a task can be) → [`stop`] (why it may end early) →
//! [`log`] and [`shipper`] (where its output goes) → [`guardian`] (what ends it when the worker dies).

mod backlog;
mod census;
mod environment;
mod output;
mod process;
mod program;
mod step_outputs;
mod tree;

pub mod executors;
pub mod guardian;
pub mod log;
pub mod settings;
pub mod shipper;
pub mod stop;
