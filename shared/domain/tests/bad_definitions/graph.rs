//! Steps that wait for what they cannot.

use crate::fixture::{only, problems, with};

#[test]
fn a_cycle_is_named_step_by_step() {
    let source = "
name: w
steps:
  - {name: a, run: x, depends_on: [c]}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [b]}
";
    assert_eq!(
        only(source),
        "f.yaml:4:36: steps wait for each other: a -> c -> b -> a [dependency-cycle]\n  \
         hint: each depends on the next; remove one of these dependencies"
    );
}

#[test]
fn unknown_duplicate_and_self_dependencies_are_each_said_at_their_place() {
    let source = "
name: w
steps:
  - {name: extract, run: x}
  - {name: load, run: x, depends_on: [extrct, extract, extract, load]}
";
    let told: Vec<String> = problems(source).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "f.yaml:5:39: step `load` depends on `extrct`, which does not exist [unknown-dependency]\n  \
             hint: did you mean `extract`?",
            "f.yaml:5:56: step `load` depends on `extract` twice [duplicate-dependency]\n  \
             hint: remove one of them",
            "f.yaml:5:65: step `load` depends on itself [self-dependency]",
        ]
    );
}

#[test]
fn two_steps_of_one_name_and_two_workflows_of_one_name_are_refused() {
    assert!(
        only("name: w\nsteps:\n- {name: a, run: x}\n- {name: a, run: y}\n")
            .contains("4:10: step `a` is defined twice: it is in line 3 too [duplicate-step]")
    );
    let twice = format!("{}---\n{}", with(""), with(""));
    assert!(only(&twice).contains("workflow `w` is defined twice: it is in line 1 too [duplicate-workflow]"));
}

#[test]
fn outputs_must_come_from_a_step_that_is_waited_for() {
    let source = "
name: w
steps:
  - {name: a, run: x}
  - {name: b, run: x, env: {A: \"${{ outputs.a.rows }}\"}}
";
    assert_eq!(
        only(source),
        "f.yaml:5:32: step `b` does not depend on `a`, whose outputs it uses [not-a-dependency]\n  \
         hint: add `a` to depends_on of `b`"
    );
    assert!(only(&source.replace("outputs.a", "outputs.aa")).contains("`outputs.aa`: there is no such step"));
    assert!(only(&source.replace("outputs.a", "outputs.b")).contains("step `b` cannot use its own outputs"));
    assert!(only(&with("env: {A: \"${{ outputs.a.x }}\"}")).contains("there are no outputs yet"));
    assert!(
        only(&with("params: [{name: p, default: \"${{ run.id }}\"}]"))
            .contains("`run` cannot be used in a default")
    );
}

#[test]
fn a_step_that_can_never_start_is_warned_of_and_one_that_might_is_not() {
    let warnings = |steps: &str| {
        let parsed = millrace_domain::definition::parse(&format!("name: w\nsteps:\n{steps}"), "f").unwrap();
        parsed[0].warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let excused = "  - {name: a, run: x, continue_on_error: true}\n  - {name: b, run: x, depends_on: [a], trigger_rule: one_failed}\n";
    assert_eq!(
        warnings(excused),
        [
            "f:4:36: step `b` can never start: its rule, `one_failed`, can never hold [rule-never-holds]\n  hint: `a` has continue_on_error: to those that wait for it, it never fails"
        ]
    );
    let no_skip = "  - {name: a, run: x}\n  - {name: b, run: x, depends_on: [{step: a, status: skipped}]}\n";
    assert_eq!(warnings(no_skip).len(), 1);
    // The one that is why is named, not another one.
    let two = "  - {name: e, run: x, continue_on_error: true}\n  - {name: a, run: x}\n  - {name: b, run: x, depends_on: [e, {step: a, status: skipped}]}\n";
    assert!(warnings(two)[0].ends_with("hint: `a` can never end so"), "{:?}", warnings(two));
    // What waits for something can be skipped after a failure of that.
    let behind = "  - {name: z, run: x}\n  - {name: a, run: x, depends_on: [z], continue_on_error: true}\n  - {name: b, run: x, depends_on: [a], trigger_rule: one_failed}\n";
    assert!(warnings(behind).is_empty());
    let may_skip = "  - {name: a, run: x, if: run.id == 'x'}\n  - {name: b, run: x, depends_on: [{step: a, status: skipped}]}\n";
    assert!(warnings(may_skip).is_empty());
    for rule in millrace_domain::TriggerRule::ALL {
        let plain = format!(
            "  - {{name: a, run: x}}\n  - {{name: b, run: x, depends_on: [a], trigger_rule: {rule}}}\n"
        );
        assert!(warnings(&plain).is_empty(), "{rule}");
    }
}
