//! The producer: turns triggers into runs, moves runs by what happens to them, and queues the tasks that are due.
//!
//! ```text
//! intake ─┐                                                        ┌─▶ outbox ──▶ task queues
//! API ────┼─▶ mailbox ─▶ actor: drain · load · advance · commit ───┤
//! inboxes ┤     ▲                                                  └─▶ answers, acks
//! timers ─┘     └──────────────── watch (claims, sessions, queues)
//! ```
//!
//! [`ownership`] decides which partitions are ours; [`partition`] is the loop over all of them; [`intake`] and
//! [`inbox`] bring in what arrives on the broker, [`api`] what arrives over HTTP, both through the [`gateway`].
//! What this crate deliberately does not know: workers. It meets them in messages, claims and sessions only.

pub mod api;
mod clock;
mod condition;
mod confirmed;
mod context;
mod damaged;
mod definitions;
mod expiry;
mod failpoint;
mod gateway;
mod inbox;
mod intake;
mod orphan;
mod ownership;
mod partition;
mod producer;
mod question;
mod room;
mod sessions;

pub use api::Access;
pub use context::Options;
pub use producer::{Error, Producer, bind};
