//! What these tests stand on: sound definitions with something put in, and what is said of them.

use std::sync::LazyLock;

use millrace_domain::definition::{self, Problem};

use crate::yaml;

/// The problems that an editor finds as well, by the JSON Schema of definitions.
const FOUND_BY_EDITORS: [&str; 3] = ["unknown-field", "not-supported-yet", "one-of-run-uses"];

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&definition::json_schema()).expect("a schema"));

pub(crate) fn problems(source: &str) -> Vec<Problem> {
    let problems = definition::parse(source, "f.yaml").expect_err("expected problems").0;
    if problems.iter().any(|problem| FOUND_BY_EDITORS.contains(&problem.code)) {
        let documents = yaml::documents(source);
        assert!(!documents.iter().all(|document| SCHEMA.is_valid(document)), "the schema accepts:\n{source}");
    }
    problems
}

/// The only problem of `source`, as a user sees it.
pub(crate) fn only(source: &str) -> String {
    let problems = problems(source);
    assert_eq!(problems.len(), 1, "{source}\n{problems:#?}");
    problems[0].to_string()
}

/// A sound workflow with `fields` above its one step.
pub(crate) fn with(fields: &str) -> String {
    format!("name: w\n{fields}\nsteps: [{{name: a, run: x}}]\n")
}

/// A sound workflow with `fields` in its one step.
pub(crate) fn step(fields: &str) -> String {
    let fields = fields.replace('\n', "\n    ");
    format!("name: w\nsteps:\n  - name: a\n    {fields}\n")
}
