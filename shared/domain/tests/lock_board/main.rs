//! The board of locks held against a model of it that is slow and plain: under asks, releases, letters that come twice, late
//! or in another order, and restores of what was written down.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

mod deadlocks;
mod model;
mod pace;
mod policies;
mod random;
mod random_rates;
mod random_slots;
mod rate_model;
mod rate_table;
mod rates;
mod slots;
mod table;
