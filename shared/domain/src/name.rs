//! The names that users choose, and the id of a workflow, which is made of two of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The error of a text that is not the identifier it should be. The message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub String);

/// Declares the type of a validated name: `[first][rest]{0,63}`.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $first:expr, $rest:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The pattern of such names, which each matches as a whole.
            pub const PATTERN: &'static str = $expected;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let first: fn(char) -> bool = $first;
                let rest: fn(char) -> bool = $rest;
                let mut chars = text.chars();
                let valid = text.len() <= 64 && chars.next().is_some_and(first) && chars.all(rest);
                if valid {
                    Ok(Self(text.into()))
                } else {
                    let shown: String = text.chars().take(70).collect();
                    let hint = if $expected.contains("_-") || !shown.contains('-') {
                        String::new()
                    } else {
                        format!("; use _ instead of -: {:?}", shown.replace('-', "_"))
                    };
                    Err(IdError(format!("{} {shown:?} must match {}{hint}", $what, $expected)))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for std::sync::Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

name_type!(
    /// The name of a namespace: workflows, submissions and quotas of one team or customer, apart from all others.
    Namespace, "namespace", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);
name_type!(
    /// The name of a workflow, unique in its namespace.
    WorkflowName, "workflow name", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);
name_type!(
    /// The name of a step. It is used in expressions, hence no hyphen.
    StepName, "step name", |c| c.is_ascii_lowercase(), |c| lower_or_digit(c) || c == '_', "[a-z][a-z0-9_]{0,63}"
);
name_type!(
    /// The name of a parameter. It becomes an environment variable and is used in expressions.
    ParamName, "param name", |c| c.is_ascii_lowercase(), |c| lower_or_digit(c) || c == '_', "[a-z][a-z0-9_]{0,63}"
);
name_type!(
    /// The name of a pool: the queues of that name and the workers that serve them.
    PoolName, "pool name", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);

name_type!(
    /// The name of a shape: what tasks of a pool need of a worker beside a slot.
    ShapeName, "shape", lower_or_digit, |c| lower_or_digit(c) || c == '_' || c == '-', "[a-z0-9][a-z0-9_-]{0,63}"
);

impl WorkflowName {
    /// The name that ad-hoc runs carry in place of a stored workflow's (also the metrics label). No stored workflow has it.
    pub const ADHOC: &str = "adhoc";
}

impl Namespace {
    /// The namespace of whatever names none.
    pub const DEFAULT: &str = "default";
}

/// The id of a workflow: its name, and the namespace in which the name is unique. As text, which is also what is stored
/// and sent, it is `name` in the namespace `default`, and `namespace/name` in any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkflowId(std::sync::Arc<str>);

impl WorkflowId {
    /// The id of the workflow of that name in a namespace.
    pub fn new(namespace: &str, name: &WorkflowName) -> Self {
        match namespace {
            Namespace::DEFAULT => Self(std::sync::Arc::clone(&name.0)),
            namespace => Self(format!("{namespace}/{name}").into()),
        }
    }

    /// The id that ad-hoc runs carry in place of a stored workflow's.
    pub fn adhoc() -> Self {
        Self(WorkflowName::ADHOC.into())
    }

    /// Whether it is that of ad-hoc runs, in whatever namespace.
    pub fn is_adhoc(&self) -> bool {
        self.name() == WorkflowName::ADHOC
    }

    /// Whether the id reads as a run's id. Where either is taken, the run would be meant, and never the workflow.
    pub fn is_like_run_id(&self) -> bool {
        Uuid::parse_str(&self.0).is_ok()
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or(Namespace::DEFAULT, |(namespace, _)| namespace)
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What digests are made of: the same however the default namespace is written.
    pub(crate) fn in_full(&self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }
}

impl From<WorkflowName> for WorkflowId {
    fn from(name: WorkflowName) -> Self {
        Self(name.0)
    }
}

impl FromStr for WorkflowId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('/') {
            None => text.parse().map(|name: WorkflowName| name.into()),
            Some((namespace, name)) => {
                let (namespace, name): (Namespace, WorkflowName) = (namespace.parse()?, name.parse()?);
                Ok(Self::new(namespace.as_str(), &name))
            }
        }
    }
}

impl TryFrom<String> for WorkflowId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<WorkflowId> for String {
    fn from(id: WorkflowId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for PoolName {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_of_the_default_namespace_is_named_as_ever() {
        for (text, namespace, name, stored) in [
            ("daily", "default", "daily", "daily"),
            ("default/daily", "default", "daily", "daily"),
            ("billing/daily", "billing", "daily", "billing/daily"),
        ] {
            let id: WorkflowId = text.parse().unwrap();
            assert_eq!((id.namespace(), id.name(), id.as_str()), (namespace, name, stored));
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("{stored:?}"));
        }
        for text in ["", "/daily", "billing/", "a/b/c", "Billing/daily", "billing/adhoc x"] {
            assert!(text.parse::<WorkflowId>().is_err(), "{text}");
        }
        assert!("billing/adhoc".parse::<WorkflowId>().unwrap().is_adhoc());
    }

    #[test]
    fn a_hyphen_in_a_step_name_is_answered_with_use_underscore() {
        let error = "load-data".parse::<StepName>().unwrap_err().to_string();
        assert!(error.contains("use _") && error.contains("load_data"), "{error}");
        assert!("daily-sales".parse::<WorkflowName>().is_ok());
        assert!("".parse::<StepName>().is_err());
        assert!("a".repeat(65).parse::<WorkflowName>().is_err());
    }
}
