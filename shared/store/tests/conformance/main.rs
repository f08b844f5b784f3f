//! The contract of the store, sentence by sentence, on every implementation. What only one of them promises has
//! its own file beside this folder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod claim;
mod cluster;
mod commit;
mod expire;
mod fixture;
mod letter;
mod list;
mod log;
mod model;
mod ownership;
mod revoke;
mod run;
mod session;
mod stores;
mod table;
mod timer;
mod watch;
