//! The loop over all partitions of this producer.
//!
//! [`mailbox`] is what can arrive; [`actor`] drains it, a batch at a time: loads what it needs ([`runs`]),
//! advances runs and drafts one commit a touched partition ([`draft`]), commits ([`commit`]), and only then
//! publishes ([`outbox`]), acks and answers. [`timers`] and [`schedules`] are what happens by itself;
//! [`watch`] finds what got lost on the way.

pub(crate) mod actor;
mod commit;
mod draft;
pub(crate) mod mailbox;
mod outbox;
mod owned;
mod runs;
mod schedules;
mod submit;
mod timers;
mod watch;
