//! Shows runs: a live tree of steps on a terminal, plain lines elsewhere. What tasks print stands above the tree.
//!
//! [`wait`] follows a run to its end; [`screen`] remembers what was shown; [`tree`] is how a run looks; [`lines`]
//! puts chunks of output together again; [`terminal`] knows widths, colours and control codes.

mod lines;
mod screen;
mod terminal;
mod tree;
mod wait;

pub(crate) use lines::Lines;
pub(crate) use terminal::Style;
pub(crate) use tree::run_in_full;
pub(crate) use wait::{has_ended, wait};
