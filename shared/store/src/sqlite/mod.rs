//! The embedded store: one SQLite database, in a file or in memory, for `millrace dev` and for tests.
//!
//! A reader's path: [`SqliteStore`] (`store`) hands every call of the contract to the one thread that owns the
//! connection (`writer`), which puts all calls that wait into one transaction. The calls themselves are plain
//! functions on a connection, a file for each thing that is agreed on, with the name that it has in the
//! [contract](crate::contract): `cluster`, `partition`, `commit`, `letter`, `table`, `run`, `list`, `task`, `timer`,
//! `watch`, `claim`, `revoke`, `session`, `pool`, `catalog`, `log`, `history`, `expire`. `file` opens the database and brings `schema.sql` into it.
//!
//! What it is not: a store for several processes. Whoever opens the file keeps it locked.

mod catalog;
mod claim;
mod cluster;
mod column;
mod commit;
mod error;
mod expire;
mod file;
mod history;
mod item;
mod letter;
mod list;
mod log;
mod partition;
mod place;
mod pool;
mod revoke;
mod run;
mod session;
mod store;
mod table;
mod task;
mod timer;
mod watch;
mod writer;

pub use store::{Clock, SqliteStore};
