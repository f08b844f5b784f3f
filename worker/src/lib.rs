//! The worker: consume → claim → execute → finish → report → ack.
//!
//! [`Worker`] is the process, put together. `delivery` brings tasks, `pipeline` carries each of them through to a closed
//! outcome, `claims` are its round trips to store and owners, `session` its presence, `cluster` whose store it is, `control` what producers tell it.
//! What this crate deliberately does not know: runs, DAGs, producers.
//!
//! A reader's path through execution: [`executors`] (what a task can be) → [`stop`] (why it may end early) →
//! [`log`] (where its output goes) → [`guardian`] (under what its
//! processes are, so that they end with it) → [`guardian::sweep`] (what dead workers have left).

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
