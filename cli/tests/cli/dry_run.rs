//! `run --dry-run`: what a run would do, and that it does nothing of it.

use serde_json::json;

use crate::binary::{file, millrace};

const SOURCE: &str = "
name: w
params: [{name: n, type: int, min: 1}, {name: to, default: here}]
steps:
  - {name: a, run: 'touch was_run; echo rows=1 >> \"$MILLRACE_OUTPUT\"'}
  - {name: b, depends_on: [a], env: {ROWS: '${{ outputs.a.rows }}', TO: '${{ params.to }}'}, run: 'true'}
  - {name: c, if: params.n > 5, run: 'true'}
";

#[test]
fn a_plan_is_shown_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "w.yaml", SOURCE);
    let shown = millrace(folder.path(), &["run", "--dry-run", "w.yaml", "-p", "n=3"]).with(0);
    for part in [
        "w: 3 steps in 2 waves; nothing is run\n",
        "params: n=3 to=here\n",
        "\nwave 1\n  a\n",
        "\nwave 2\n  b  ← a\n",
        "ROWS=${{ outputs.a.rows }}\n",
        "TO=here\n",
        "  c: would be skipped: its condition is false: params.n > 5\n",
    ] {
        assert!(shown.stdout.contains(part), "{part:?} is not in:\n{}", shown.stdout);
    }
    let plan =
        millrace(folder.path(), &["run", "--dry-run", "w.yaml", "-p", "n=7", "-o", "json"]).with(0).json();
    assert_eq!(
        (&plan["waves"], &plan["params"]),
        (&json!([["a", "c"], ["b"]]), &json!({"n": 7, "to": "here"}))
    );
    assert!(!folder.path().join("was_run").exists());
}

#[test]
fn bad_params_are_answered_as_a_run_would_answer_them() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "w.yaml", SOURCE);
    for params in [&["-p", "n=x"][..], &["-p", "n=0"], &[], &["-p", "m=1", "-p", "n=3"]] {
        let planned = millrace(folder.path(), &[&["run", "w.yaml", "--dry-run"], params].concat()).with(2);
        let run = millrace(folder.path(), &[&["run", "w.yaml"], params].concat()).with(2);
        assert_eq!((planned.stderr, planned.stdout.as_str()), (run.stderr, ""), "{params:?}");
    }
    assert!(!folder.path().join("was_run").exists());
}
