//! The vocabulary and the rules of Millrace, and nothing else: no clock, no randomness, no IO, no async.
//!
//! A reader's path: [`definition`] (what a user writes) → [`run`] (one execution of it, and
//! [`run::advance()`], the one place where its state moves) → [`wire`] (what travels: [`task`]s to a worker,
//! [`message`]s between processes, and what clients submit).

pub mod carried;
pub mod child;
pub mod code;
pub mod definition;
pub mod environment;
pub mod expression;
pub mod graph;
pub mod hook;
pub mod id;
pub mod lane;
pub mod lock;
pub mod name;
pub mod nesting;
pub mod number;
pub mod outcome;
pub mod params;
pub mod people;
pub mod priority;
pub mod quantity;
pub mod repeat;
pub mod retry;
pub mod rule;
pub mod run;
pub mod schedule;
pub mod time;
pub mod unit;
pub mod wait;
pub mod wire;

pub use code::{Code, WireCode};
pub use hook::{Hook, When};
pub use id::*;
pub use lane::{Lane, TaskQueue};
pub use name::*;
pub use outcome::Outcome;
pub use priority::Priority;
pub use retry::RetryPolicy;
pub use rule::TriggerRule;
pub use time::Timestamp;
pub use unit::{TaskId, Unit};
pub use wire::{message, submission, task};
