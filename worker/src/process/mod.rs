//! What happens to a process of a task. [`program`] finds what is to be started and [`environment`] builds what it
//! sees; [`run`](fn@run) runs it under a keeper, while [`output`] reads what it writes; [`step_outputs`] is the file to
//! which it writes its outputs, [`repeated_key`] what would be lost of them. [`census`] and [`tree`] say which processes there are, which belong together, and how
//! they are signalled; [`mark`] finds those that got away. What is not here: why a task ends early ([`crate::stop`]),
//! and what ends it when its worker is gone ([`crate::guardian`]).

pub(crate) mod census;
mod environment;
pub(crate) mod mark;
mod output;
pub(crate) mod program;
mod repeated_key;
mod run;
mod step_outputs;
pub(crate) mod tree;

pub(crate) use environment::{Environment, Inherited};
pub(crate) use run::{End, ProcessContext, describe, run};
pub(crate) use step_outputs::{OutputsFile, Written};
