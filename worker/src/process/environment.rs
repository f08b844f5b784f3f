//! The environment of a task, built from nothing: whatever is in the worker's own, its connection settings
//! above all, does not reach a task unless it is named here.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use millrace_domain::SessionId;
use millrace_domain::task::Task;

use super::mark::{SESSION_VARIABLE, TASK_VARIABLE};

/// The PATH of a task whose worker has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables that every task gets from its worker, read once.
#[derive(Debug)]
pub(crate) struct Inherited(Vec<(OsString, OsString)>);

impl Inherited {
    /// Reads PATH, HOME and LANG, then the names in `pass_env`. The worker's own settings (`MILLRACE_*`) are never
    /// passed, even by name.
    pub(crate) fn new(pass_env: &[String], own: impl Fn(&str) -> Option<OsString>) -> Self {
        let fallback = |name: &str, default: &str| own(name).unwrap_or_else(|| default.into());
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), fallback("PATH", DEFAULT_PATH)),
            ("HOME".into(), fallback("HOME", "/")),
            ("LANG".into(), fallback("LANG", "C.UTF-8")),
        ];
        for name in pass_env.iter().filter(|name| !name.starts_with("MILLRACE_")) {
            if let Some(value) = own(name) {
                variables.push((name.into(), value));
            }
        }
        Self(variables)
    }
}

/// The variables of one task. A name that occurs twice has its later value.
#[derive(Debug)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Builds the environment of one task. The error names a variable that no environment can hold.
    pub(crate) fn new(
        inherited: &Inherited,
        task: &Task,
        session: SessionId,
        outputs: &Path,
    ) -> Result<Self, String> {
        let mut variables = inherited.0.clone();
        for (name, value) in &task.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(format!("{name:?} is no name for an environment variable"));
            }
            if value.contains('\0') {
                return Err(format!("the value of environment variable {name} contains a NUL byte"));
            }
            variables.push((name.into(), value.into()));
        }
        let mut own = |name: &str, value: OsString| variables.push((name.into(), value));
        own("MILLRACE_RUN_ID", task.run.to_string().into());
        own("MILLRACE_WORKFLOW", task.workflow.as_str().into());
        own("MILLRACE_STEP", task.step.as_str().into());
        own("MILLRACE_ATTEMPT", task.attempt.to_string().into());
        own("MILLRACE_SCHEDULED_AT", task.scheduled_at.to_string().into());
        own("MILLRACE_IDEMPOTENCY_KEY", task.idempotency_key().into());
        own("MILLRACE_OUTPUT", outputs.into());
        own(SESSION_VARIABLE, session.to_string().into());
        own(TASK_VARIABLE, task.id().to_string().into());
        if let Some(traceparent) = &task.traceparent {
            own("TRACEPARENT", traceparent.into());
        }
        Ok(Self(variables))
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().rev().find(|(held, _)| held == name).map(|(_, value)| value.as_os_str())
    }

    /// All variables, in the order in which they take effect.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_own_settings_are_not_passed_even_by_name() {
        let own = |name: &str| (name != "LANG").then(|| OsString::from(format!("worker's {name}")));
        let pass = ["MILLRACE_AMQP_URL".to_owned(), "API_HOST".to_owned()];
        let Inherited(variables) = Inherited::new(&pass, own);
        let names: Vec<_> = variables.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["PATH", "HOME", "LANG", "API_HOST"]);
        assert_eq!(variables[2].1, "C.UTF-8");
    }
}
