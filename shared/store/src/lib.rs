//! What must be agreed on: run state, claims, sessions, ownership, timers, definitions, logs.
//!
//! [`contract`] says it in the words of the domain; [`redis`] (fleets) and [`sqlite`] (embedded) are the two
//! implementations; the one suite in `tests/conformance` runs on both. [`Membership`] is what every process does with
//! what is fixed for its cluster. What this crate does not know: when to do any of it.

pub mod contract;
mod membership;
pub mod redis;
pub mod sqlite;

pub use contract::*;
pub use membership::{Membership, Standing, mismatch};
