//! `uses: workflow` and `recursive`.

use crate::fixture::{only, step, with};

fn calling(with: &str) -> String {
    step(&format!("uses: workflow\nwith: {with}"))
}

#[test]
fn a_step_names_the_workflow_that_it_runs() {
    let told = only(&step("uses: workflow"));
    assert!(
        told.contains("`workflow` needs the `name` of one") && told.contains("write with: {name: "),
        "{told}"
    );
    let told = only(&calling("{params: {a: 1}}"));
    assert!(told.contains("`workflow` needs the `name` of one [missing-field]"), "{told}");
    let told = only(&calling("{name: Load Day}"));
    assert!(told.contains("`name`: ") && told.contains("[bad-name]"), "{told}");
    let told = only(&calling("{name: adhoc}"));
    assert!(told.contains("`adhoc` is no workflow"), "{told}");
    let told = only(&calling("{workflow: load, name: load}"));
    assert!(told.contains("hint: write name: load_day"), "{told}");
    let told = only(&calling("{name: load, inputs: {a: 1}}"));
    assert!(told.contains("write params: "), "{told}");
    let told = only(&calling("{name: load, wait_for_completion: false}"));
    assert!(told.contains("write wait: false"), "{told}");
    let told = only(&calling("{name: load, wait: \"${{ run.id }}\"}"));
    assert!(told.contains("`wait` must be true or false"), "{told}");
}

#[test]
fn params_of_a_run_are_names_and_values() {
    let told = only(&calling("{name: load, params: [1]}"));
    assert!(
        told.contains("`params` must be a map of names and values") && told.contains("write params: "),
        "{told}"
    );
    let told = only(&calling("{name: load, params: \"${{ run.id }} x\"}"));
    assert!(told.contains("or one expression that gives one"), "{told}");
    let told = only(&calling("{name: load, params: {a-b: 1}}"));
    assert!(told.contains("[bad-name]"), "{told}");
    let told = only(&calling("{name: load, params: {a: \"${{ params.none }}\"}}"));
    assert!(told.contains("`params.none` is not declared"), "{told}");
    let told = only(&calling("{name: load, params: {a: \"${{ item }}\"}}"));
    assert!(told.contains("there is no item"), "{told}");
    let told = only(&calling("{name: \"${{ outputs.b.name }}\"}"));
    assert!(told.contains("`outputs.b`: there is no such step"), "{told}");
}

#[test]
fn what_is_about_a_task_belongs_into_the_workflow_that_is_called() {
    for field in ["env: {A: b}", "pool: gpu", "timeout: 1m", "at_most_once: true", "working_dir: x"] {
        let name = field.split(':').next().unwrap();
        let told = only(&step(&format!("uses: workflow\nwith: {{name: load}}\n{field}")));
        let expected = match name {
            "working_dir" => "`working_dir` goes with `run` only".to_owned(),
            _ => format!("`{name}` does not go with `uses: workflow`, which makes no task of its own"),
        };
        assert!(told.contains(&expected), "{told}");
    }
    let told = only(&step("uses: workflow\nwith: {name: load, wait: false}\noutputs: {rows: int}"));
    assert!(told.contains("`uses: workflow` never gives the output `rows`; its outputs: run_id"), "{told}");
}

#[test]
fn a_workflow_that_runs_itself_says_how_deep_it_may() {
    let itself = "name: w\n@steps: [{name: a, uses: workflow, with: {name: w}}]\n";
    let told = only(&itself.replace('@', ""));
    assert!(told.contains("workflow `w` would run itself without end [recursion]"), "{told}");
    assert!(told.contains("write recursive: {max: 5}"), "{told}");
    let told = only(&itself.replace('@', "recursive: true\n"));
    assert!(told.contains("`recursive` needs a bound"), "{told}");
    for bound in ["{}", "{max: 0}", "{max: 17}", "{max: many}", "5", "{depth: 5}"] {
        let told =
            millrace_domain::definition::parse(&with(&format!("recursive: {bound}")), "f").unwrap_err();
        let told = told.to_string();
        assert!(
            told.contains("recursive") || told.contains("`max`") || told.contains("max: 5"),
            "{bound}: {told}"
        );
    }
    assert!(millrace_domain::definition::parse(&itself.replace('@', "recursive: {max: 5}\n"), "f").is_ok());
}
