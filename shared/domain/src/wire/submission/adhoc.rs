//! The workflow of a task that has no definition: one step, in which nothing is an expression.

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use super::{Submission, SubmissionError};
use crate::definition::{self, MAX_ACTIONS, Places, Step, Workflow};
use crate::expression::{Template, Templated};
use crate::graph::Graph;
use crate::quantity::{MAX_DURATION, parse_duration, parse_positive_duration};
use crate::task::Task;
use crate::{Code, ParamName, RetryPolicy, StepName, Timestamp, TriggerRule, WorkflowId, environment};

const MAX_DIR_BYTES: usize = 4096;

static ADHOC: LazyLock<WorkflowId> = LazyLock::new(WorkflowId::adhoc);

#[expect(clippy::expect_used, reason = "the name is written here, and a test reads it")]
static TASK: LazyLock<StepName> = LazyLock::new(|| "task".parse().expect("a step name"));

impl Submission {
    /// The submission of an ad-hoc task, as far as the task tells: its retries and labels are not in it, and its
    /// params are variables among others.
    pub fn of_task(task: &Task) -> Self {
        Self {
            uses: Some(task.uses.clone()),
            with: Some(task.with.clone()).filter(|with| !with.is_null()),
            env: task.env.clone(),
            pool: Some(task.pool.clone()),
            priority: Some(task.priority),
            timeout: task.timeout_ms.map(|timeout| format!("{timeout}ms")),
            at_most_once: task.at_most_once,
            working_dir: task.working_dir.clone(),
            traceparent: task.traceparent.clone(),
            ..Self::default()
        }
    }

    /// The workflow of an ad-hoc task: called `adhoc`, with the one step `task`. Its params need no declaration.
    ///
    /// # Errors
    /// For a submission that names a stored workflow, and for the first field that is wrong.
    pub fn to_workflow(&self) -> Result<Workflow, SubmissionError> {
        self.check_shape()?;
        let (uses, with) = self.action()?;
        let timeout = self.timeout.as_deref().map(parse_positive_duration).transpose();
        let timeout = timeout.map_err(|error| SubmissionError::field("timeout", error))?;
        let retry = match &self.retry {
            Some(retry) => {
                let retry = definition::retry_of_json(retry);
                Arc::new(retry.map_err(|error| SubmissionError::field("retry", error))?)
            }
            None => RetryPolicy::shared_default(),
        };
        self.check_params()?;
        let step = Step {
            hook: None,
            fan: None,
            repeat: None,
            inputs: Box::default(),
            task_inputs: Box::default(),
            question: None,
            outputs: Box::default(),
            name: TASK.clone(),
            uses,
            with,
            env: self.step_env()?,
            pool: self.pool.clone().unwrap_or_default(),
            timeout,
            retry,
            at_most_once: self.at_most_once,
            working_dir: self.step_dir(uses)?,
            rule: TriggerRule::default(),
            locks: Box::default(),
            rate: None,
            condition: None,
            not_before: None,
            continue_on_error: false,
        };
        Ok(Workflow {
            id: ADHOC.clone(),
            description: None,
            labels: self.labels.clone(),
            schedules: Vec::new(),
            timezone: jiff::tz::TimeZone::UTC,
            timeout: None,
            priority: self.priority.unwrap_or_default(),
            params: Vec::new(),
            env: Vec::new(),
            steps: vec![step],
            graph: Graph::single(),
            success_only: true,
            concurrency: None,
            recursive: 0,
            run_hooks: 0,
            fans_out: false,
            places: Places::default(),
            outputs: None,
            max_actions: MAX_ACTIONS,
        })
    }

    /// When the run is to start: `now` and its `delay`, or its `at`, which may be past. `None` is at once.
    ///
    /// # Errors
    /// When either cannot be read, when both are given, or when the instant is more than ten years away.
    pub fn start_at(&self, now: Timestamp) -> Result<Option<Timestamp>, SubmissionError> {
        match (&self.delay, &self.at) {
            (None, None) => Ok(None),
            (Some(delay), None) => {
                let delay = parse_duration(delay).map_err(|error| SubmissionError::field("delay", error))?;
                Ok(Some(now + delay))
            }
            (None, Some(at)) => {
                let too_far = || SubmissionError::field("at", "expected an instant within ten years");
                let instant: jiff::Timestamp = at.parse().map_err(|_| {
                    // The last of what can be counted is less than a day earlier.
                    if at.starts_with("9999-12-3") {
                        return too_far();
                    }
                    let shown: String = at.chars().take(60).collect();
                    let expected = "expected RFC 3339 with an offset, such as 2026-03-01T08:00:00+08:00";
                    SubmissionError::field("at", format!("{shown:?} is not an instant: {expected}"))
                })?;
                let instant = Timestamp::from_millis(instant.as_millisecond());
                if instant > now + MAX_DURATION {
                    return Err(too_far());
                }
                Ok(Some(instant))
            }
            (Some(_), Some(_)) => {
                Err(SubmissionError::new(Code::Ambiguous, "expected only one of delay and at"))
            }
        }
    }

    fn action(&self) -> Result<(&'static str, Templated), SubmissionError> {
        if let Some(script) = &self.run {
            definition::check_script(script).map_err(|problem| {
                let hint = problem.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                let is_expression = problem.code == Code::ExpressionInRun.as_str();
                let code = if is_expression { Code::ExpressionInRun } else { Code::BadField };
                SubmissionError::new(code, format!("{}{hint}", problem.message))
            })?;
            let with = Map::from_iter([("run".to_owned(), Value::String(script.clone()))]);
            return Ok((definition::SHELL, Templated::literal(Value::Object(with))));
        }
        let Some(uses) = &self.uses else {
            return Err(SubmissionError::field(
                "workflow",
                "names a stored definition: it is no ad-hoc task",
            ));
        };
        definition::action_of_json(uses, self.with.as_ref()).map_err(|(code, message)| match code.parse() {
            Ok(code @ (Code::UnknownExecutor | Code::NotSupportedYet | Code::ExpressionInRun)) => {
                SubmissionError::new(code, message)
            }
            _ => SubmissionError::field("with", message),
        })
    }

    fn check_params(&self) -> Result<(), SubmissionError> {
        for (name, value) in &self.params {
            name.parse::<ParamName>().map_err(|error| SubmissionError::field("params", error))?;
            match value {
                Value::String(text) => check_variable("params", name, text)?,
                other => check_variable("params", name, &environment::text_of(other))?,
            }
        }
        Ok(())
    }

    fn step_env(&self) -> Result<Vec<(String, Template)>, SubmissionError> {
        self.env
            .iter()
            .map(|(name, value)| {
                check_variable("env", name, value)?;
                Ok((name.clone(), Template::literal(value.clone())))
            })
            .collect()
    }

    fn step_dir(&self, uses: &str) -> Result<Option<Arc<str>>, SubmissionError> {
        let Some(dir) = &self.working_dir else { return Ok(None) };
        if uses != definition::SHELL {
            return Err(SubmissionError::field("working_dir", "goes with `run` only"));
        }
        if dir.is_empty() || dir.len() > MAX_DIR_BYTES || dir.contains('\0') {
            let message = format!("expected a path of at most {MAX_DIR_BYTES} bytes, without NUL bytes");
            return Err(SubmissionError::field("working_dir", message));
        }
        Ok(Some(dir.as_str().into()))
    }
}

fn check_variable(field: &str, name: &str, value: &str) -> Result<(), SubmissionError> {
    environment::check_name(name)
        .and_then(|()| environment::check_value(name, value))
        .map_err(|error| SubmissionError::field(field, error))
}
