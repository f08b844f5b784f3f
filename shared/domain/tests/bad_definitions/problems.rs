//! Problems as they are told: all at once, in order, and not too many.

use millrace_domain::definition;

use crate::fixture::{problems, with};

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let source = "
name: W
timeout: 30
priority: 11
colour: red
steps:
  - name: load-data
    run: x
  - name: b
    depends_on: [zzz]
    uses: docker
    retry: {limit: 1000}
";
    let told: Vec<(u32, &str)> =
        problems(source).iter().map(|problem| (problem.line, problem.code)).collect();
    assert_eq!(
        told,
        [
            (2, "bad-name"),
            (3, "bad-duration"),
            (4, "bad-priority"),
            (5, "unknown-field"),
            (7, "bad-name"),
            (10, "unknown-dependency"),
            (11, "not-supported-yet"),
            (12, "out-of-range"),
        ]
    );
}

#[test]
fn a_hundred_problems_are_shown_and_the_rest_is_counted() {
    let steps: String =
        (0..5000).map(|n| format!("  - {{name: s{n}, run: x, depends_on: [t{n}]}}\n")).collect();
    let told = problems(&format!("name: w\nsteps:\n{steps}"));
    assert_eq!(told.len(), 100);
    assert_eq!(told[99].message, "4901 more problems are not shown");
    assert_eq!(told[0].line, 3);
}

#[test]
fn problems_are_json_for_programs() {
    let problems = definition::parse(&with("timeout: 30"), "f.yaml").unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    assert_eq!(json[0]["code"], "bad-duration");
    assert_eq!(json[0]["line"], 2);
    assert_eq!(json[0].get("hint"), None);
}
