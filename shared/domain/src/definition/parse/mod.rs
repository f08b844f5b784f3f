//! From a tree to a [`Workflow`](super::Workflow): one file for each thing that a user writes. Everything that is
//! wrong is collected; nothing stops at the first problem.

mod action;
mod byte_order_mark;
mod child;
mod concurrency;
mod environment;
mod executor;
mod expression;
mod fan;
mod fields;
mod foreign;
mod json;
mod kind;
mod locks;
mod never;
mod outputs;
mod param;
mod people;
mod pipeline;
mod rate;
mod reach;
mod repeat;
mod retry;
mod rule;
mod run_outputs;
mod schedule;
mod shell;
mod source;
mod step;
mod steps;
mod surrogates;
mod synonyms;
mod wait;
mod workflow;

// What the JSON Schema of definitions is made from.
pub(super) use child::{MAX_RECURSION, NOT_OF_CHILDREN, RECURSIVE, WORKFLOW_INPUT};
pub(super) use concurrency::{CONCURRENCY, MAX_QUEUED, ON_FULL, POLICIES};
pub(super) use environment::MAX_VARIABLES;
pub(super) use executor::{EXECUTORS, HTTP, HTTP_INPUT, METHODS, NOOP, NOOP_INPUT, REDIRECTS, STATUSES};
pub(super) use fan::{FOREACH, MATRIX, SHARDS};
pub(super) use fields::Schema;
pub(super) use kind::{KINDS, MAX_CHOICES};
pub(super) use locks::LOCK;
pub(super) use outputs::{MAX_OUTPUTS, OUTPUT};
pub(super) use param::{MAX_PARAMS, PARAM};
pub(super) use people::{APPROVAL_DEFAULTS, APPROVAL_INPUT, INPUT_INPUT, NOT_OF_QUESTIONS};
pub(super) use rate::RATE;
pub(super) use repeat::{DELAY, MAX_TIMES, REPEAT};
pub(super) use retry::{ASK, MAX_BACKOFF, MAX_LIMIT, RETRIED, RETRY};
pub(super) use rule::{DEPENDENCY, SUCCEEDED};
pub(super) use schedule::{ENTRY, MAX_SCHEDULES};
pub(super) use shell::{MAX_SCRIPT_BYTES, MAX_SHELL_WORDS, SHELL_INPUT};
pub(super) use step::{MAX_DIR_BYTES, STEP};
pub(super) use steps::MAX_STEPS;
pub(super) use wait::{OF_TASKS, WAIT_INPUT};
pub(super) use workflow::{DEFAULTS, MAX_LABEL_BYTES, MAX_LABELS, WORKFLOW};

pub(crate) use executor::action_of_json;
pub(crate) use retry::retry_of_json;
pub use shell::SHELL;
pub(crate) use shell::check_script;
pub use source::{MAX_FILE_BYTES, Parsed, parse, parse_bytes, parse_stored};
