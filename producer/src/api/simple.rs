//! A simple task as it is written: `{"name", "command", "schedule"?, "timezone"?, "timeout"?}`, and the workflow of one
//! step that stands for it when it has a schedule.

use millrace_domain::definition::nearest;
use millrace_domain::schedule::Zone;
use millrace_domain::{Code, WorkflowId};
use serde_json::{Map, Value, json};

use super::error::{ApiError, ApiResult};
use super::workflows::parse_name;

const FIELDS: [&str; 5] = ["name", "command", "schedule", "timezone", "timeout"];

/// The name of its one step.
const STEP: &str = "task";

/// A simple task.
#[derive(Debug)]
pub(super) struct SimpleTask {
    pub(super) name: WorkflowId,
    pub(super) command: String,
    pub(super) schedule: Option<String>,
    timezone: Option<String>,
    /// A duration, as definitions have it.
    pub(super) timeout: Option<String>,
}

impl SimpleTask {
    /// Whether a body is meant to be a simple task. A submission has none of these fields.
    pub(super) fn is_meant(object: &Map<String, Value>) -> bool {
        ["name", "command", "schedule", "timezone"].iter().any(|field| object.contains_key(*field))
    }

    /// Reads one; the first thing that is wrong is the error.
    pub(super) fn read(object: &Map<String, Value>) -> ApiResult<Self> {
        if !object.contains_key("command") {
            return Err(wrong("`command` is missing: what is to be run, such as \"echo hello\""));
        }
        if let Some(unknown) = object.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            let meant = match nearest(unknown, FIELDS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected {}", FIELDS.join(", ")),
            };
            let shown: String = unknown.chars().take(64).collect();
            return Err(wrong(format!("unknown field `{shown}`: {meant}")));
        }
        let text = |field: &str| match object.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong(format!("`{field}`: expected a text, not {other}"))),
        };
        let needed =
            |field: &str| text(field)?.ok_or_else(|| wrong(format!("`{field}` is missing: expected a text")));
        let timezone = text("timezone")?;
        if let Some(Err(why)) = timezone.as_deref().map(Zone::parse) {
            return Err(wrong(format!("`timezone`: {why}")));
        }
        Ok(Self {
            name: parse_name(&needed("name")?)?,
            command: needed("command")?,
            schedule: text("schedule")?,
            timezone,
            timeout: timeout(object.get("timeout"))?,
        })
    }

    /// The definition of the workflow that is stored for it.
    pub(super) fn definition(&self, schedule: &str) -> String {
        let mut step = json!({"name": STEP, "run": self.command});
        if let Some(timeout) = &self.timeout {
            step["timeout"] = timeout.as_str().into();
        }
        let mut document = json!({"name": self.name, "schedule": schedule, "steps": [step]});
        if let Some(timezone) = &self.timezone {
            document["timezone"] = timezone.as_str().into();
        }
        format!("{document:#}")
    }
}

/// Whether a definition is that of a simple task. Anything else holds more than such a task could say.
pub(super) fn is_simple(source: &str) -> bool {
    let has_only = |value: &Value, known: &[&str]| {
        value.as_object().is_some_and(|fields| fields.keys().all(|field| known.contains(&field.as_str())))
    };
    let Ok(document) = serde_json::from_str::<Value>(source) else { return false };
    has_only(&document, &["name", "schedule", "timezone", "steps"])
        && document["schedule"].is_string()
        && document["steps"].as_array().is_some_and(|steps| match steps.as_slice() {
            [step] => has_only(step, &["name", "run", "timeout"]) && step["name"] == STEP,
            _ => false,
        })
}

fn timeout(value: Option<&Value>) -> ApiResult<Option<String>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(seconds)) if seconds.as_u64().is_some_and(|s| s > 0) => {
            Ok(Some(format!("{seconds}s")))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(format!(
            "timeout: {other} is neither a number of seconds above 0 nor a duration such as \"1h\""
        ))),
    }
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad_request(Code::BadField, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(task: &Value) -> ApiResult<SimpleTask> {
        SimpleTask::read(task.as_object().unwrap())
    }

    #[test]
    fn the_definition_of_a_simple_task_is_known_again_and_no_other_is() {
        let task = json!({"name": "a", "command": "true", "schedule": "@daily", "timezone": "Asia/Tokyo", "timeout": 5});
        let own = read(&task).unwrap().definition("@daily");
        assert!(is_simple(&own), "{own}");
        for other in [
            "name: a\nschedule: '@daily'\nsteps: [{name: task, run: 'true'}]\n",
            r#"{"name":"a","schedule":"@daily","steps":[{"name":"task","run":"true"},{"name":"b","run":"true"}]}"#,
            r#"{"name":"a","schedule":"@daily","steps":[{"name":"task","run":"true","retry":{"limit":2}}]}"#,
            r#"{"name":"a","steps":[{"name":"task","run":"true"}]}"#,
        ] {
            assert!(!is_simple(other), "{other}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (task, parts) in [
            (json!({"name": "x", "schedule": "0 3 * * *"}), ["`command` is missing", ""]),
            (json!({"name": "x", "run": "true"}), ["`command` is missing", ""]),
            (json!({"command": "true"}), ["`name` is missing", ""]),
            (json!({"name": "x", "command": "true", "shedule": "@daily"}), ["`shedule`", "`schedule`"]),
            (json!({"name": "x", "command": "true", "timezone": "Mars/Base"}), ["`timezone`", "Mars/Base"]),
            (json!({"name": "x", "command": ["true"]}), ["`command`", "expected a text"]),
        ] {
            let error = read(&task).unwrap_err();
            assert!(parts.iter().all(|part| error.message.contains(part)), "{task}: {}", error.message);
        }
    }
}
