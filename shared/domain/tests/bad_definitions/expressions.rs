//! Expressions, and the names in them.

use crate::fixture::{only, step, with};

#[test]
fn an_undefined_name_in_an_expression_is_found_before_anything_runs() {
    let told = only(&step("run: x\nenv: {A: \"${{ thing }}\"}"));
    assert!(
        told.starts_with(
            "f.yaml:5:14: unknown name `thing` in an expression: expected one of params, outputs, run, fire, item, item_index [unknown-name]"
        ),
        "{told}"
    );
    assert!(only(&with("env: {A: \"${{ 1 + }}\"}")).contains("[expression-syntax]"));
    assert!(only(&with("env: {A: \"${{ params.x\"}")).contains("never closed"));
}

#[test]
fn an_undeclared_param_is_answered_with_those_that_are_declared() {
    let source =
        with("params: [{name: date, default: x}, {name: n, default: y}]\nenv: {A: \"${{ params.dat }}\"}");
    assert_eq!(
        only(&source),
        "f.yaml:3:10: `params.dat` is not declared; params: date, n [undeclared-param]\n  hint: did you mean `date`?"
    );
    assert!(only(&with("env: {A: \"${{ params.x }}\"}")).contains("no params are declared"));
    let later = with("params: [{name: a, default: \"${{ params.b }}\"}, {name: b, default: y}]");
    assert!(only(&later).contains("no params are declared before this one"));
}

#[test]
fn an_expression_in_run_names_the_variable_to_use_instead() {
    let source = step("run: python3 x.py --date ${{ params.date }}");
    assert_eq!(
        only(&source),
        "f.yaml:4:10: `run` is never templated: `${{ params.date }}` would stay as it is [expression-in-run]\n  \
         hint: params are environment variables: write \"$date\""
    );
    assert!(
        only(&step("run: echo ${{ outputs.a.rows }}")).contains("env: {NAME: \"${{ outputs.a.rows }}\"}")
    );
    assert!(only(&step("run: echo ${{")).contains("[expression-in-run]"));
}

#[test]
fn a_hyphen_in_the_name_of_a_step_or_param_is_answered_with_an_underscore() {
    let told = only("name: w\nsteps: [{name: load-data, run: x}]\n");
    assert!(told.contains("use _ instead of -: \"load_data\" [bad-name]"), "{told}");
    assert!(only(&with("params: [{name: a-b, default: x}]")).contains("\"a_b\""));
    assert!(only(&with("").replace("name: w", "name: My Flow")).contains("hint: write my_flow"));
    assert!(only(&with("").replace("name: w", "name: adhoc")).contains("the name `adhoc` is taken"));
}
