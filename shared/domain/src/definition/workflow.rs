//! What a definition means once it has been checked. A value of [`Workflow`] cannot be invalid.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value};

use super::fan::FanOut;
use super::limits::Limits;
use crate::expression::{Condition, Template, Templated};
use crate::graph::Graph;
use crate::lock::{AtLimit, rate_in_words};
use crate::repeat::Repeat;
use crate::schedule::{Schedule, TimeOfDay};
use crate::{
    Hook, ParamName, PoolName, Priority, RetryPolicy, StepIndex, StepName, TaskQueue, TriggerRule, WorkflowId,
};

/// A workflow: triggers, params and a DAG of steps.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The id: its name, in the default namespace.
    pub id: WorkflowId,
    /// The description, for people.
    pub description: Option<String>,
    /// The labels, for people and filters.
    pub labels: BTreeMap<String, String>,
    /// The schedules, by which runs start by themselves.
    pub schedules: Vec<Schedule>,
    /// The time zone of `fire.time` and `fire.date(n)`: the workflow's `timezone`, or UTC.
    pub timezone: jiff::tz::TimeZone,
    /// The timeout of a whole run.
    pub timeout: Option<Duration>,
    /// The priority with which its tasks are queued.
    pub priority: Priority,
    /// The declared params, in the order of the file.
    pub params: Vec<Param>,
    /// The environment of every step; a step's own `env` wins.
    pub env: Vec<(String, Template)>,
    /// The steps, in the order of the file; at least one.
    pub steps: Vec<Step>,
    /// The outputs of a run that succeeds.
    pub outputs: Option<Box<RunOutputs>>,
    /// The graph: which step waits for which.
    pub graph: Graph,
    /// Whether every step starts when all that it waits for have succeeded, and in no other case.
    pub success_only: bool,
    /// The number of steps that are hooks of the run.
    pub run_hooks: u32,
    /// Whether any step fans out.
    pub fans_out: bool,
    /// How many runs of it may be under way at a time; `None` where any number may.
    pub concurrency: Option<Box<Concurrency>>,
    /// How often a run of it may be within runs of it; 0 where it may not.
    pub recursive: u32,
    /// The place of each step by its name.
    pub places: Places,
    /// The number of actions after which one advance of a run begins no further step: [`MAX_ACTIONS`], but where tests
    /// want it small.
    pub max_actions: usize,
}

/// The number of actions after which one advance of a run begins no further step. Where more become ready at once, they
/// begin with the next advance, of the run's start timer: so a commit, and what it dispatches, stays small beside what
/// other runs want, however wide a graph is.
pub(crate) const MAX_ACTIONS: usize = 2_500;

/// The places of steps by their names. Built when one is first asked for: most runs never ask.
#[derive(Debug, Clone, Default)]
pub struct Places(OnceLock<HashMap<String, StepIndex>>);

/// A declared parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name, which is also that of its environment variable.
    pub name: ParamName,
    /// The kind of its values.
    pub kind: ParamKind,
    /// The limits of its values beyond their kind.
    pub limits: Limits,
    /// The default; without one, every run must give a value.
    pub default: Option<Templated>,
    /// The description, for people.
    pub description: Option<String>,
}

/// An output that a step declares: each attempt that succeeds must give it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredOutput {
    /// The key of the output.
    pub key: String,
    /// The kind of its value.
    pub kind: ParamKind,
    /// The description, for people.
    pub description: Option<String>,
}

/// The outputs of a run: what it hands on as a whole, made when all its steps have ended.
#[derive(Debug, Clone)]
pub struct RunOutputs {
    /// The outputs by their keys, in the order of the file.
    pub values: Box<[(Box<str>, Templated)]>,
    /// The steps whose outputs they use, in order, each once.
    pub inputs: Box<[StepIndex]>,
}

/// The kind of a parameter's values.
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
    /// A date: `YYYY-MM-DD`.
    Date,
    /// A non-empty path without NUL.
    Path,
    /// One of these texts.
    Enum(Vec<String>),
    /// Any JSON value.
    Json,
}

/// How many runs of a workflow may be under way at a time, and what becomes of one more.
#[derive(Debug, Clone, PartialEq)]
pub struct Concurrency {
    /// The number of runs that may be under way at a time.
    pub limit: u32,
    /// What tells runs apart of which each kind has a limit of its own; `None` where all runs have one.
    pub key: Option<Template>,
    /// What becomes of one more.
    pub at_limit: AtLimit,
}

impl ParamKind {
    /// The word for the kind in a definition.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Path => "path",
            Self::Enum(_) => "enum",
            Self::Json => "json",
        }
    }
}

/// A lock that a step needs, as it declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct LockUse {
    /// The name of the lock, which may hold expressions.
    pub name: Template,
    /// The number of slots that the lock has.
    pub slots: u32,
    /// The number of them that the step needs.
    pub weight: u32,
    /// Whether it is held together with others that share it.
    pub shared: bool,
}

/// The rate that each attempt of a step takes from, as it declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct RateUse {
    /// How much there is in any period.
    pub limit: u32,
    /// The period.
    pub per: Duration,
    /// The name, where steps share the rate; otherwise it is that of the step alone.
    pub name: Option<Arc<str>>,
    /// The key: each has as much.
    pub key: Option<Template>,
    /// How much an attempt takes: 1 where nothing is said.
    pub cost: Option<Template>,
}

/// The question that a step asks people, as far as it is known before the run.
#[derive(Debug, Clone)]
pub struct Question {
    /// How long people have to answer.
    pub timeout: Duration,
    /// What is asked for.
    pub wants: Wants,
}

/// What a question asks for.
#[derive(Debug, Clone)]
pub enum Wants {
    /// The approval of people.
    Approval {
        /// The number of different people who have to approve.
        of: u32,
        /// Whether it counts as approved when too few have said so in time.
        by_default: bool,
    },
    /// Values.
    Input {
        /// What the values must be. A field without a default has to be given.
        fields: Box<[Param]>,
        /// The values that count when nobody has supplied any in time, complete; without them the step times out.
        by_default: Option<Map<String, Value>>,
    },
}

/// A step: a node of the DAG.
#[derive(Debug, Clone)]
pub struct Step {
    /// The name, unique in its workflow.
    pub name: StepName,
    /// The name of the executor: `shell`, `http`, `noop`; or `wait`, `workflow`, `approval` and `input`, which are the run's
    /// own.
    pub uses: &'static str,
    /// The input of the executor. A shell script is under `run`, as written, beside `shell` (its argv).
    pub with: Templated,
    /// What the step asks people; `None` for one that asks nobody.
    pub question: Option<Box<Question>>,
    /// What the step is the hook of; `None` for one that is none.
    pub hook: Option<Hook>,
    /// How the step fans out; without it, the step has one attempt after the other.
    pub fan: Option<Box<FanOut>>,
    /// The steps whose outputs its expressions use, in order, each once.
    pub inputs: Box<[StepIndex]>,
    /// Those of them that its tasks use, and not only its condition or the list of its items.
    pub task_inputs: Box<[StepIndex]>,
    /// The outputs that each attempt that succeeds must give.
    pub outputs: Box<[DeclaredOutput]>,
    /// The environment of this step.
    pub env: Vec<(String, Template)>,
    /// The pool in which its tasks run.
    pub pool: PoolName,
    /// The timeout of one attempt.
    pub timeout: Option<Duration>,
    /// The retry policy, which most steps of a workflow share.
    pub retry: Arc<RetryPolicy>,
    /// How often it is done again although it succeeded.
    pub repeat: Option<Box<Repeat>>,
    /// Whether no second attempt may start after one that was lost.
    pub at_most_once: bool,
    /// The directory in which a shell step starts.
    pub working_dir: Option<Arc<str>>,
    /// The rule by which the step starts.
    pub rule: TriggerRule,
    /// The condition that must be true for the step to start, once its rule holds.
    pub condition: Option<Box<Condition>>,
    /// The locks that each of its attempts needs.
    pub locks: Box<[LockUse]>,
    /// The rate that each of its attempts takes from.
    pub rate: Option<Box<RateUse>>,
    /// The time of day before which the step does not start: on the day of the run's fire, in the workflow's zone.
    pub not_before: Option<TimeOfDay>,
    /// Whether a failure of the step counts as a success for all that waits for it, and for the run.
    pub continue_on_error: bool,
}

impl RateUse {
    /// What it allows, in words: `100 per 1m`.
    pub fn in_words(&self) -> String {
        rate_in_words(self.limit, self.per)
    }

    /// The templates of it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.key.iter().chain(&self.cost)
    }
}

impl Workflow {
    /// Whether a step gives its items up when too many of them have failed.
    pub fn gives_items_up(&self) -> bool {
        self.steps.iter().any(|step| step.fan.as_ref().is_some_and(|fan| fan.fail_fast))
    }

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
    /// Whether the step is a hook of the run.
    pub fn is_run_hook(&self) -> bool {
        matches!(self.hook, Some(Hook::Run(_)))
    }

    /// Whether the step has shards, each of which knows how many there are.
    pub fn is_sharded(&self) -> bool {
        self.fan.as_ref().is_some_and(|fan| matches!(fan.over, super::fan::Over::Shards(_)))
    }

    /// The queue in which its tasks wait.
    pub fn queue(&self) -> TaskQueue {
        self.pool.clone().into()
    }

    /// The number of attempts that may be lost before the step fails.
    pub fn lost_limit(&self) -> u32 {
        if self.at_most_once { 0 } else { 3 }
    }
}
