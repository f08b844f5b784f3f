//! What a definition means once it has been checked. A value of [`Workflow`] cannot be invalid.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use crate::expression::{Template, Templated};
use crate::graph::Graph;
use crate::schedule::Schedule;
use crate::{ParamName, PoolName, Priority, RetryPolicy, StepIndex, StepName, WorkflowName};

/// A workflow: triggers, params and a DAG of steps.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Unique in its namespace.
    pub name: WorkflowName,
    /// For people.
    pub description: Option<String>,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// When runs start by themselves.
    pub schedules: Vec<Schedule>,
    /// The time zone of `fire.time` and `fire.date(n)`: the workflow's `timezone`, or UTC.
    pub timezone: jiff::tz::TimeZone,
    /// How long a whole run may take.
    pub timeout: Option<Duration>,
    /// What its tasks are queued with.
    pub priority: Priority,
    /// Its declared params, in the order of the file.
    pub params: Vec<Param>,
    /// Environment of every step; a step's own `env` wins.
    pub env: Vec<(String, Template)>,
    /// Its steps, in the order of the file; at least one.
    pub steps: Vec<Step>,
    /// Who waits for whom.
    pub graph: Graph,
    /// Where to find a step by its name.
    pub places: Places,
}

/// Where each step is, by name. Built when it is first asked for: most runs never ask.
#[derive(Debug, Clone, Default)]
pub struct Places(OnceLock<HashMap<String, StepIndex>>);

/// A declared parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// Also its environment variable.
    pub name: ParamName,
    /// What its values must be.
    pub kind: ParamKind,
    /// Without one, every run must give a value.
    pub default: Option<Templated>,
    /// For people.
    pub description: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamKind {
    /// Any text.
    String,
    /// A whole number (64 bits, signed).
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// A non-empty path without NUL.
    Path,
    /// One of these.
    Enum(Vec<String>),
    /// Any JSON.
    Json,
}

/// A node of the DAG.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in its workflow.
    pub name: StepName,
    /// The executor: `shell`, `http`, `noop`.
    pub uses: String,
    /// What the executor gets. A shell script is under `run`, as written, beside `shell` (its argv).
    pub with: Templated,
    /// Environment of this step.
    pub env: Vec<(String, Template)>,
    /// Where it runs.
    pub pool: PoolName,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// Never start a second attempt after one that was lost.
    pub at_most_once: bool,
    /// The directory in which a shell step starts.
    pub working_dir: Option<String>,
}

impl Workflow {
    /// The step at `index`.
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(index.at())
    }

    /// The place of the step called `name`. O(steps) the first time, and O(1) from then on.
    pub fn index_of(&self, name: &str) -> Option<StepIndex> {
        let names = || self.steps.iter().map(|step| step.name.as_str().to_owned());
        let places = self.places.0.get_or_init(|| names().zip((0..).map(StepIndex)).collect());
        places.get(name).copied()
    }
}

impl Step {
    /// How many attempts may be lost before the step fails.
    pub fn lost_limit(&self) -> u32 {
        if self.at_most_once { 0 } else { 3 }
    }
}
