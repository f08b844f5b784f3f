//! What users write, and what it means once it has been checked. Nothing here reads a file, and nothing runs.
//!
//! [`parse()`] takes text to [`Workflow`]s in three passes: events to a tree that knows its lines (`document`), the
//! tree to typed values (`parse/`, one file for each thing that is written), and the values held against each
//! other. All that is wrong is collected on the way and answered at once, as [`Problems`]. [`check_params`] then
//! holds the values of one run against what its workflow declares. [`json_schema()`] tells editors what may be written, out
//! of the same tables by which `parse/` reads it.

mod arguments;
mod checker;
mod document;
mod fan;
mod items;
mod json_schema;
mod limits;
mod matrix;
mod nearest;
mod outputs;
mod parse;
mod problem;
mod question;
mod syntax;
mod values;
mod workflow;

pub use arguments::{check_kind, check_params, from_text};
pub use fan::{FanOut, MAX_PARALLEL, Over, Tolerance};
pub use items::MAX_ITEMS;
pub use json_schema::json_schema;
pub use limits::{Limits, Pattern};
pub use matrix::Matrix;
pub use nearest::nearest;
pub use outputs::{check_outputs, is_output_key};
pub use parse::{MAX_FILE_BYTES, Parsed, SHELL, parse, parse_bytes, parse_stored};
pub(crate) use parse::{action_of_json, check_script, retry_of_json};
pub use problem::{Problem, Problems};
pub use question::complete_fields;
pub use workflow::*;

pub use crate::params::{Params, env_of_params};
