//! Shows runs: a live tree of steps on a terminal, plain lines elsewhere. What tasks print stands above the tree.
//!
//! [`wait()`] follows a run to its end; [`screen`] remembers what was shown, `items` what the items of a step have printed;
//! [`tree`] is how a run looks, `run_tree` with the runs that are steps of it, [`timeline`](mod@timeline) when its steps ran, [`plan`] how one looks that was not run; [`lines`]
//! puts chunks of output together again; [`terminal`] knows widths and colours, and [`visible`] what a terminal must
//! not obey.

mod items;
mod lines;
mod plan;
mod plan_settings;
mod run_tree;
mod screen;
mod terminal;
mod timeline;
mod tree;
mod visible;
mod wait;

pub(crate) use lines::Lines;
pub(crate) use plan::Planned;
pub(crate) use run_tree::run_tree;
pub(crate) use screen::View;
pub(crate) use terminal::{Style, columns_of_stdout};
pub(crate) use timeline::timeline;
pub(crate) use tree::{of_retry, run_in_full};
pub(crate) use visible::Showing;
pub(crate) use wait::{Wait, has_ended, wait};
