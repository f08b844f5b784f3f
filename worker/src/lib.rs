//! The worker: consume → claim → execute → finish → report → ack.
//!
//! [`Worker`] is the process, put together. A task comes through `delivery`, and `pipeline` runs it to a closed outcome
//! with the round trips of `claims`. Around it: `session` is the worker's presence, `cluster` looks whose store this
//! is, `control` hears what producers tell every worker, `running` knows what can be stopped, `health` answers probes.
//! What this crate deliberately does not know: runs, DAGs, producers.
//!
//! A reader's path through execution: [`executors`] (what a task can be) → [`stop`] (why it may end early) → `process`
//! (how a process of it is run) → [`log`] (where its output goes) → [`guardian`] (under what its processes are, so that
//! they end with it; what dead workers have left is swept there too).

mod claims;
mod cluster;
mod control;
mod delivery;
mod health;
mod pipeline;
mod process;
mod running;
mod session;
mod worker;

pub mod executors;
pub mod guardian;
pub mod log;
pub mod settings;
pub mod stop;

pub use worker::{Options, Worker};
