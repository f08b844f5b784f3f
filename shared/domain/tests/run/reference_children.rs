//! Steps that are runs of other workflows, as their parent sees them: a part of the [`reference`](crate::reference). Their
//! attempts come to what those of workers come to, but that they may be skipped, and are never lost.

use millrace_domain::Outcome;
use serde_json::{Map, Value, json};

use crate::reference::{Ask, Attempt, End, Step, Task, Work, Workflow, given_by, items};
use crate::reference_items::outputs_of;

/// What a step with `uses: workflow` says of the runs that it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) name: Name,
    pub(crate) params: Params,
    /// Whether it ends with that run. With `wait: false` it ends when that is there, and gives its `run_id`: here a number.
    pub(crate) waits: bool,
    /// Whether there are as many runs above as may be.
    pub(crate) is_too_deep: bool,
}

/// The name of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// `called`.
    Literal,
    /// A param that is `soon`.
    Param,
    /// A param that is a number.
    Number,
    /// An expression that gives `soon soon`, which is no name.
    TwoWords,
}

/// The params that a run of it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Params {
    /// A map: with what the step needs, and its item.
    Map,
    /// All that a step gives, which is a map.
    Outputs,
    /// What a step gives that fans out: a list, and no map.
    List,
}

impl Child {
    /// Whether its input can be rendered, as far as it is not about outputs and items; and there is room for one more run.
    pub(crate) fn can_be(&self) -> bool {
        let is_name = matches!(self.name, Name::Literal | Name::Param);
        is_name && self.params != Params::List && !self.is_too_deep
    }

    /// The name of the workflow that it runs.
    pub(crate) fn called(&self) -> &'static str {
        if self.name == Name::Literal { "called" } else { "soon" }
    }
}

impl Task {
    /// What an attempt comes to that does this. "An attempt that succeeded and has not given one of them ... has failed", of the
    /// outputs that its step declares.
    pub(crate) fn judged(&self, attempt: Attempt) -> Attempt {
        let is_missing = self.declares && attempt.output.is_none();
        let outcome = match attempt.outcome {
            Outcome::Succeeded if is_missing => Outcome::Failed,
            other => other,
        };
        Attempt { outcome, ..attempt }
    }

    pub(crate) fn waits(&self) -> bool {
        self.child.is_none_or(|child| child.waits)
    }
}

impl Step {
    /// The task, or the runs, that it is; `None` for a wait.
    pub(crate) fn task(&self) -> Option<&Task> {
        match &self.work {
            Work::Task(task) => Some(task),
            Work::Wait(_) | Work::Ask(_) => None,
        }
    }

    /// Whether it may hand a number on.
    pub(crate) fn gives_number(&self) -> bool {
        !matches!(self.work, Work::Ask(Ask::Approval { .. } | Ask::Unclear))
    }

    pub(crate) fn child(&self) -> Option<&Child> {
        self.task().and_then(|task| task.child.as_ref())
    }

    /// Under which name it hands its number on.
    pub(crate) fn key(&self) -> &'static str {
        if self.task().is_none_or(Task::waits) { "v" } else { "run_id" }
    }

    /// The outputs of an attempt of it that hands `v` on.
    pub(crate) fn outputs(&self, v: Option<i64>) -> Value {
        match v.filter(|_| self.key() != "v") {
            Some(v) => json!({"run_id": v}),
            None => outputs_of(v),
        }
    }
}

/// The params that the run is given which is this step, or the item of it at `place`.
pub(crate) fn params_of(workflow: &Workflow, task: &Task, place: Option<u32>, ends: &[End]) -> Option<Value> {
    let child = task.child?;
    if child.params == Params::Outputs {
        let step = task.needs?.step;
        return Some(workflow.steps[step].outputs(ends[step].output));
    }
    let mut params: Map<String, Value> = Map::new();
    params.insert("word".to_owned(), json!("soon"));
    params.insert("deep".to_owned(), json!({"count": [7, "7 times"]}));
    if let Some(needs) = task.needs {
        let end = &ends[needs.step];
        if needs.is_key {
            params.insert("v".to_owned(), json!(end.output));
        } else {
            let given = given_by(end).unwrap_or_default();
            let sum: i64 = given.iter().filter_map(|item| item["v"].as_i64()).sum();
            params.insert("all".to_owned(), Value::from(given));
            params.insert("sum".to_owned(), json!(sum));
        }
    }
    if let Some((fan, place)) = task.fan.as_ref().zip(place) {
        let item = &items(fan, ends)?[place as usize];
        params.insert("item".to_owned(), item.clone());
        params.insert("place".to_owned(), json!(place));
        if fan.reads_item {
            params.insert("i".to_owned(), item["v"].clone());
        }
    }
    Some(Value::Object(params))
}
