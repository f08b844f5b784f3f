//! What must be agreed on: run state, claims, sessions, ownership, timers, definitions, logs.
//!
//! [`contract`] says it in the words of the domain; [`redis`] (fleets) and [`sqlite`] (embedded) are the two
//! implementations; the one suite in `tests/conformance` runs on both. What this crate does not know: when
//! to do any of it.

pub mod contract;
pub mod redis;
pub mod sqlite;

pub use contract::*;
