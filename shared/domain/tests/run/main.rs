//! The state machine of a run, driven as its owner drives it: sentences first, then random histories, then what
//! older versions wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

mod advances;
mod attempts;
mod clock;
mod data;
mod fleet;
mod invariants;
mod newer;
mod order;
mod properties;
mod rules;
mod stop;
mod wire;
