//! The JSON Schema of a definition, by which editors complete and check what is written. It is made from the parser's own
//! tables and bounds; it is not the check: names, cycles and expressions are the parser's alone. What the schema refuses
//! the parser refuses too, and tests hold the two together.
//!
//! `described` puts a table of fields and their descriptions together, `workflow`, `step` and `executors` describe the
//! fields, and `values` has what many fields share.

mod described;
mod document;
mod executors;
mod fan;
mod step;
mod values;
mod workflow;

pub use document::json_schema;
