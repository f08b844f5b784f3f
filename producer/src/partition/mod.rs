//! The loop over all partitions of this producer.
//!
//! [`mailbox`] is what can arrive, and most of it is a [`command`]; [`actor`] drains it. Each [`batch`] loads what its
//! commands need into [`memory`], carries them out ([`commands`], each in its [`turn`]) into one commit a touched partition
//! ([`draft`]), and commits ([`commit`]). Only then comes what the commits allow ([`follow_up`]): tasks are published
//! ([`dispatch`]), stops carried out, messages acked and answered ([`answer`]).
//!
//! A [`letter`] goes to another partition with a commit. [`recovery`] finds what got lost on the way. [`lateness`] judges a fire that is late, [`replan`] puts right what a clock
//! that was ahead has left, [`store_full`] takes out of a commit what there is no room for, and [`broken`] is what is done
//! about an event that breaks its run. [`failed_runs`] are told to the log.

pub(crate) mod actor;
pub(crate) mod answer;
mod batch;
mod broken;
pub(crate) mod command;
pub(crate) mod commands;
mod commit;
pub(crate) mod dispatch;
mod draft;
mod failed_runs;
mod fired;
mod follow_up;
mod lateness;
mod letter;
pub(crate) mod mailbox;
mod memory;
pub(crate) mod recovery;
mod replan;
mod store_full;
mod turn;
