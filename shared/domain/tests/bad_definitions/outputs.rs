//! `outputs` that a step declares.

use crate::fixture::{only, problems, step};
use millrace_domain::definition;

#[test]
fn what_is_no_map_of_keys_and_types_is_refused_where_it_stands() {
    for (field, told) in [
        (
            "outputs: rows",
            "f.yaml:5:14: `outputs` must be a map of keys and types, found `rows` [wrong-type]",
        ),
        ("outputs: [rows]", "hint: write outputs: {rows: int, day: date}"),
        ("outputs:", "`outputs` has no value: expected a map of keys and types"),
        ("outputs: {rows: integer}", "unknown type `integer`: expected one of string, int, float"),
        ("outputs: {rows: integer}", "hint: write int"),
        ("outputs: {rows: flaot}", "hint: did you mean `float`?"),
        ("outputs: {rows: }", "`rows` has no value: expected a type, such as int"),
        ("outputs: {rows: [int]}", "`rows` must be a type, such as int, found a list [wrong-type]"),
        ("outputs: {rows: enum}", "the type enum needs `values` [missing-field]"),
        ("outputs: {rows: {type: enum, values: []}}", "`values` has 0 entries: expected 1 to 1000"),
        ("outputs: {rows: {type: int, values: [1]}}", "`values` goes with `type: enum` only"),
        ("outputs: {rows: {description: x}}", "an output needs a `type` [missing-field]"),
        ("outputs: {rows: {type: int, optional: true}}", "leave out one that may be missing"),
        ("outputs: {Rows: int}", "output `Rows` must match [a-z][a-z0-9_]* [bad-name]\n  hint: write rows"),
        ("outputs: {row-count: int}", "hint: write row_count"),
        ("outputs: {1a: int}", "output `1a` must match"),
        ("outputs: {a: int, a: int}", "`a` is given twice"),
    ] {
        let shown = only(&step(&format!("run: x\n{field}")));
        assert!(shown.contains(told), "{field}: {shown}");
    }
    let many: Vec<String> = (0..201).map(|n| format!("k{n}: int")).collect();
    let told = only(&step(&format!("run: x\noutputs: {{{}}}", many.join(", "))));
    assert!(told.contains("201 outputs: expected at most 200 [out-of-range]"), "{told}");
}

#[test]
fn what_makes_no_task_or_never_gives_an_output_declares_none() {
    let told = only(&step("uses: wait\nwith: {for: 1s}\noutputs: {a: int}"));
    assert!(
        told.contains("`outputs` does not go with `uses: wait`, which makes no task [bad-field]"),
        "{told}"
    );
    let told = only(&step("uses: noop\noutputs: {a: int}"));
    assert!(
        told.contains("`uses: noop` never gives the output `a`; its outputs: none [unknown-output]"),
        "{told}"
    );
    let http =
        |key: &str| step(&format!("uses: http\nwith: {{url: \"http://x/\"}}\noutputs: {{{key}: json}}"));
    assert!(only(&http("stauts")).contains("hint: did you mean `status`?"));
    assert!(definition::parse(&http("body"), "f").is_ok());
}

const PAIR: &str = "name: w\nsteps:\n  \
    - {name: a, run: x, outputs: {rows: int, tables: {type: json, description: all}}}\n  \
    - {name: b, depends_on: [a], run: x, env: {A: \"${{ outputs.a.KEY }}\"}}\n";

#[test]
fn a_key_that_a_step_does_not_declare_is_told_with_those_that_it_does() {
    let of = |key: &str| PAIR.replace("KEY", key);
    assert_eq!(
        only(&of("row")),
        "f.yaml:4:49: `outputs.a.row`: step `a` does not declare it; its outputs: rows, tables [unknown-output]\n  \
         hint: did you mean `rows`?"
    );
    assert!(only(&of("sum")).contains("hint: add `sum` to outputs of `a`"));
    let condition = of("rows").replace("run: x, env", "run: x, if: outputs.a.n is defined, env");
    assert!(only(&condition).contains("`outputs.a.n`: step `a` does not declare it"));
    for key in ["rows", "tables[0]", "rows + outputs.a.tables|length"] {
        assert!(definition::parse(&of(key), "f").is_ok(), "{key}");
    }
    // A step that declares nothing may give anything, and what is not read is not told of twice.
    assert!(
        definition::parse(&of("n").replace("rows: int, tables: {type: json, description: all}", ""), "f")
            .is_ok()
    );
    let told = problems(&of("rows").replace("rows: int", "rows: whole"));
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn the_outputs_of_items_are_still_a_list_when_they_are_declared() {
    let source = PAIR.replace("name: a,", "name: a, foreach: [1],");
    assert!(only(&source.replace("KEY", "rows")).contains("`outputs.a` is a list"));
    assert!(definition::parse(&source.replace("outputs.a.KEY", "outputs.a|map(attribute='x')"), "f").is_ok());
}

#[test]
fn what_a_run_cannot_hand_on_is_refused_where_it_stands() {
    let of = |outputs: &str| {
        format!(
            "name: w\nsteps:\n  - {{name: a, run: x, outputs: {{rows: int}}}}\n  - {{name: each, run: x, foreach: [1]}}\n\
             on_finish: [{{name: tell, run: x}}]\noutputs: {outputs}\n"
        )
    };
    for (outputs, told) in [
        ("rows", "f.yaml:6:10: `outputs` must be a map of keys and values, found `rows` [wrong-type]"),
        ("[rows]", "hint: write outputs: {rows: \"${{ outputs.load.rows }}\"}"),
        ("{Rows: 1}", "output `Rows` must match [a-z][a-z0-9_]* [bad-name]\n  hint: write rows"),
        ("{a: 1, a: 2}", "`a` is given twice"),
        ("{a: \"${{ outputs.b.rows }}\"}", "`outputs.b`: there is no such step [unknown-step]"),
        ("{a: \"${{ outputs.eahc }}\"}", "hint: did you mean `each`?"),
        ("{a: [{b: \"${{ outputs.a.rosw }}\"}]}", "hint: did you mean `rows`?"),
        (
            "{a: \"${{ outputs.each.n }}\"}",
            "`outputs.each` is a list, with the outputs of each item: it has no `n`",
        ),
        (
            "{a: \"${{ outputs.tell.n }}\"}",
            "`outputs.tell`: `tell` is a hook that starts when all steps have ended [not-a-dependency]",
        ),
        ("{a: \"${{ item }}\"}", "`item` cannot be used here: there is no item"),
        ("{a: \"${{ params.day }}\"}", "`params.day` is not declared; no params are declared"),
        ("{a: \"${{ outputs.a.rows\"}", "[expression-syntax]"),
    ] {
        let shown = only(&of(outputs));
        assert!(shown.contains(told), "{outputs}: {shown}");
    }
    let many: Vec<String> = (0..201).map(|n| format!("k{n}: 1")).collect();
    let told = only(&of(&format!("{{{}}}", many.join(", "))));
    assert!(told.contains("201 outputs: expected at most 200 [out-of-range]"), "{told}");
    assert!(definition::parse(&of("{}"), "f").is_ok(), "none are none");
}
