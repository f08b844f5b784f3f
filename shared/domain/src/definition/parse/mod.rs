//! From a tree to a [`Workflow`](super::Workflow): one file for each thing that a user writes. Everything that is
//! wrong is collected; nothing stops at the first problem.

mod byte_order_mark;
mod environment;
mod executor;
mod expression;
mod fan;
mod fields;
mod foreign;
mod json;
mod never;
mod param;
mod pipeline;
mod reach;
mod repeat;
mod retry;
mod rule;
mod schedule;
mod source;
mod step;
mod steps;
mod surrogates;
mod synonyms;
mod wait;
mod workflow;

pub(crate) use executor::{SHELL, action_of_json, check_script};
pub(crate) use retry::retry_of_json;
pub use source::{MAX_FILE_BYTES, Parsed, parse, parse_bytes, parse_stored};
