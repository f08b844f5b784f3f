//! The loop over all partitions of this producer.
//!
//! [`mailbox`] is what can arrive; [`actor`] drains it. Each [`batch`] loads what it needs ([`load`], [`runs`], [`workflows`]),
//! advances runs and drafts one commit a touched partition ([`draft`]); [`settle`] commits ([`commit`]) and only
//! then publishes ([`outbox`], short tasks in [`bundles`]), acks and answers. [`submit`] makes runs, [`timers`] and [`schedules`] are what
//! happens by itself; [`watch`] finds what got lost on the way, [`sweep`] what a whole queue has lost, and [`findings`] is
//! what is done about it.
//! [`lateness`] judges a fire that is late, [`replan`] puts right what a clock that was ahead has left, and [`broken`] is
//! what is done about an event that breaks its run. [`failed_runs`] are told to the log.

pub(crate) mod actor;
mod batch;
mod broken;
mod commit;
mod dispatch;
mod draft;
mod failed_runs;
mod follow_up;
mod lateness;
pub(crate) mod mailbox;
mod memory;
pub(crate) mod recovery;
pub(crate) mod replan;
mod schedules;
pub(crate) mod store_full;
mod submit;
