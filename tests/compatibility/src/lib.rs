//! What version 0.1 stored and sent, as it was recorded, for tests that go on with it.
//!
//! The files are in `v0_1`; the README beside this crate says what each holds, and `millrace-record` makes them. All
//! are texts, so that a change of them can be read.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

pub mod database;
pub mod instants;
pub mod keys;
pub mod recording;

pub use recording::Recording;
