//! The params of a run: values by name. What a workflow declares of them, and how they are checked against that, is in
//! [`definition`](crate::definition).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::environment;

/// The values of a run's params, by name.
pub type Params = BTreeMap<String, Value>;

/// The environment variables by which params reach a task: a text as it is, all else as compact JSON.
pub fn env_of_params(params: &Params) -> BTreeMap<String, String> {
    params.iter().map(|(name, value)| (name.clone(), environment::text_of(value))).collect()
}
