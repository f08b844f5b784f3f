//! The contract of the store, on the one in memory: the suite of Redis and SQLite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../../shared/store/tests/conformance/catalog.rs"]
mod catalog;
#[path = "../../../../shared/store/tests/conformance/claim.rs"]
mod claim;
#[path = "../../../../shared/store/tests/conformance/cluster.rs"]
mod cluster;
#[path = "../../../../shared/store/tests/conformance/commit.rs"]
mod commit;
#[path = "../../../../shared/store/tests/conformance/expire.rs"]
mod expire;
#[path = "../../../../shared/store/tests/conformance/fixture.rs"]
mod fixture;
#[path = "../../../../shared/store/tests/conformance/letter.rs"]
mod letter;
#[path = "../../../../shared/store/tests/conformance/list.rs"]
mod list;
#[path = "../../../../shared/store/tests/conformance/log.rs"]
mod log;
#[path = "../../../../shared/store/tests/conformance/model.rs"]
mod model;
#[path = "../../../../shared/store/tests/conformance/ownership.rs"]
mod ownership;
#[path = "../../../../shared/store/tests/conformance/revoke.rs"]
mod revoke;
#[path = "../../../../shared/store/tests/conformance/run.rs"]
mod run;
#[path = "../../../../shared/store/tests/conformance/session.rs"]
mod session;
mod stores;
#[path = "../../../../shared/store/tests/conformance/table.rs"]
mod table;
#[path = "../../../../shared/store/tests/conformance/timer.rs"]
mod timer;
#[path = "../../../../shared/store/tests/conformance/watch.rs"]
mod watch;
