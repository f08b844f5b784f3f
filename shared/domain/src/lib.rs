//! The vocabulary and the rules of Millrace, and nothing else: no clock, no randomness, no IO, no async.
//!
//! A reader's path: [`definition`] (what a user writes) → [`run`] (one execution of it, and
//! [`run::advance()`], the one place where its state moves) → [`task`] (what travels to a worker) →
//! [`message`] (the words spoken on the wire).

pub mod definition;
pub mod environment;
pub mod expression;
pub mod graph;
pub mod id;
pub mod message;
pub mod number;
pub mod outcome;
pub mod params;
pub mod priority;
pub mod quantity;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod submission;
pub mod task;
pub mod time;

pub use id::*;
pub use outcome::Outcome;
pub use priority::Priority;
pub use retry::RetryPolicy;
pub use time::Timestamp;
