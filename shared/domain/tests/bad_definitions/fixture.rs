//! What these tests stand on: sound definitions with something put in, and what is said of them.

use millrace_domain::definition::{self, Problem};

pub(crate) fn problems(source: &str) -> Vec<Problem> {
    definition::parse(source, "f.yaml").expect_err("expected problems").0
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
