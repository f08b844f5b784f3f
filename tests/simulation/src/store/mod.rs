//! A store in memory: the third implementation of the contract, and the one that the simulation can look into. It
//! passes the same conformance suite as Redis and SQLite. [`Memory`] is what is stored, [`MemoryStore`] one
//! process's way to it, on which calls get lost.

mod catalog;
mod claim;
mod guards;
mod handle;
mod letters;
mod memory;
mod run;
mod runs;

pub use guards::Guards;
pub use handle::MemoryStore;
pub use memory::Memory;
