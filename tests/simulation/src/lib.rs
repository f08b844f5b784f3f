//! A whole fleet in one thread, driven by a seed: the real producers and the real workers over a store and a broker in
//! memory, on a paused clock. The seed decides what is asked of them and what goes wrong: calls that fail before
//! or after they took effect, messages that are lost, doubled, late or out of order, processes that die at any call,
//! stop, leave or lose their connection, clocks that are off. An auditor holds every call against the invariants of
//! the design; when faults stop, everything must come to its end.
//!
//! ```text
//! seed ─▶ dice ─┬─▶ workload ─▶ client ─┐
//!               ├─▶ fleet: Producer, Worker (real) ─▶ process ─▶ store, broker ─▶ auditor, trace
//!               └─▶ faults, nemesis ────────────────────┘
//! ```
//!
//! [`run`] runs a seed. The same seed does the same, to the last call.

mod acting;
mod asking;
mod auditor;
mod broker;
mod client;
mod clock;
mod dice;
mod executor;
mod faults;
mod fleet;
mod left;
mod letters;
mod locking;
mod nemesis;
mod newcomer;
mod pausing;
mod process;
mod rating;
mod retrying;
mod simulation;
mod store;
mod trace;
mod wanted_retries;
mod words;
mod workload;
mod world;

pub use auditor::{Seen, Violation};
pub use broker::MemoryBroker;
pub use simulation::{Failure, Report, run, run_in_words};
pub use store::{Guards, Memory, MemoryStore};
pub use world::Shared;
