//! The store of a fleet: Redis 7.0 or newer (or a server that speaks as it does), one connection,
//! and a second one where replicas are waited for.
//!
//! | file | what |
//! |---|---|
//! | `options` | where, under which prefix |
//! | `address` | an address as it is written, and what is wrong with it |
//! | `sentinel` | who is the primary now |
//! | `connection` | the one connection, kept by a supervisor; every call goes through it |
//! | `replicas` | waiting for them, when that is asked for |
//! | `safety` | whether a server would lose data |
//! | `error` | Redis's words into [`StoreError`](crate::StoreError) |
//! | `keys` | every key there is |
//! | `script`, `scripts/*.lua` | what is atomic; each file states its KEYS, ARGV and answer |
//! | `unguard` | scripts without a guard, for the test of the auditor; not in releases |
//! | `reply`, `sorted` | reading answers, and sorted sets in pages |
//! | `commit`, `writes` | the owner's one way to write |
//! | `cluster`, `partition`, `run`, `list`, `task`, `timer`, `watch` | the rest, as in the [contract](crate::contract) |
//! | `letter`, `table`, `claim`, `revoke`, `session`, `pool`, `catalog`, `log`, `history`, `expire` | the rest, as well |
//! | `store` | [`RedisStore`], which puts them together |
//!
//! What is not here: commands that touch two hash slots. All keys of a partition share the tag `{p<N>}`, and a
//! script or a command has keys of one partition only, so that the same calls work on a cluster of slots.

mod address;
mod catalog;
mod claim;
mod cluster;
mod commit;
mod connection;
mod error;
mod expire;
mod history;
mod items;
mod keys;
mod letter;
mod list;
mod log;
mod options;
mod partition;
mod pool;
mod replicas;
mod reply;
mod revoke;
mod run;
mod safety;
mod script;
mod sentinel;
mod session;
mod sorted;
mod store;
mod table;
mod task;
mod timer;
#[cfg(debug_assertions)]
mod unguard;
mod watch;
mod writes;

pub use options::Options;
pub use store::RedisStore;
