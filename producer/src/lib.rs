//! The producer: turns triggers into runs, moves runs by what happens to them, and queues the tasks that are due.
//!
//! ```text
//! intake ─┐                                                        ┌─▶ outbox ──▶ task queues
//! API ────┼─▶ mailbox ─▶ actor: drain · load · advance · commit ───┤
//! inboxes ┤     ▲                                                  └─▶ answers, acks
//! timers ─┘     └──────────────── watch (claims, sessions, queues)
//! ```
//!
//! [`ownership`] decides which partitions are ours; [`partition`] is the loop over all of them; [`intake`] brings in what
//! arrives on the broker, [`api`] what arrives over HTTP, both through its gateway.
//! What this crate deliberately does not know: workers. It meets them in messages, claims and sessions only.

mod apart;
pub mod api;
mod backpressure;
mod clock;
mod condition;
mod confirmed;
mod context;
mod definitions;
mod failpoint;
mod intake;
mod link;
mod lock_table;
mod maintenance;
mod ownership;
mod partition;
mod producer;
mod workflow_head;

pub use api::Access;
pub use context::Options;
#[doc(hidden)]
pub use context::{Rehearsal, Rehearsed};
pub use producer::{Error, Producer, bind};
