//! `uses: approval` and `uses: input`.

use crate::fixture::{only, problems, step};

#[test]
fn an_approval_that_nobody_may_give_is_refused_where_it_stands() {
    for (with, told) in [
        (
            "{who: []}",
            "`who`: it is empty, so that nobody may answer [bad-value]\n  hint: remove it: without `who`, anybody may",
        ),
        ("{who: [ann], of: 2}", "`who`: an approval nobody may give: 2 have to approve, and 1 may"),
        ("{who: [\"${{ run.id }}\"], of: 2}", "an approval nobody may give: 2 have to approve, and 1 may"),
        ("{who: [ann, bob, ann]}", "`who`: `ann` is named twice [bad-value]\n  hint: remove one of them"),
        ("{who: [ann, \"${{ run.id }}\", ann]}", "`who`: `ann` is named twice"),
        ("{who: [\" ann\"]}", "is no name"),
        ("{who: ann}", "hint: write who: [ann]"),
        ("{of: 0}", "must be a whole number from 1 to 100"),
        ("{of: 101}", "from 1 to 100"),
        (
            "{default: approved}",
            "`default` must be approve or reject, found `approved` [bad-value]\n  hint: write default: approve",
        ),
        ("{default: maybe}", "`default` must be approve or reject"),
        ("{timeout: 30}", "write 30s"),
        ("{approvers: [ann]}", "hint: write who: [ann, bob]"),
        ("{quorum: 2}", "hint: write of: 2"),
        ("{fields: [{name: a}]}", "unknown field `fields`"),
        ("{message: \"${{ params.x }}\"}", "`params.x` is not declared"),
    ] {
        let shown = only(&step(&format!("uses: approval\nwith: {with}")));
        assert!(shown.contains(told), "{with}: {shown}");
    }
    let long = format!("uses: approval\nwith: {{message: {}}}", "x".repeat(4_001));
    assert!(only(&step(&long)).contains("`message`: 4001 characters: expected at most 4000 [out-of-range]"));
}

#[test]
fn all_that_is_wrong_with_a_question_is_told_at_once() {
    let source = step("uses: approval\nwith: {default: maybe, of: 0, timeout: zzz, who: []}");
    assert_eq!(problems(&source).len(), 4);
}

#[test]
fn what_an_input_asks_for_is_declared_as_params_are_and_its_default_fits() {
    for (with, told) in [
        ("{}", "`input` needs `fields` [missing-field]"),
        ("{fields: []}", "`fields` is empty: an input that asks for nothing [out-of-range]"),
        ("{fields: {amount: int}}", "write - {name: ..., type: ...}"),
        ("{fields: [{type: int}]}", "a field needs a `name`"),
        ("{fields: [{name: a}, {name: a}]}", "field `a` is declared twice"),
        ("{fields: [{name: a, type: integer}]}", "write int"),
        (
            "{fields: [{name: a, default: \"${{ fire.time }}\"}]}",
            "the default of field `a` is an expression [bad-default]",
        ),
        (
            "{fields: [{name: a, type: int}], default: {a: x}}",
            "`default`: field `a`: expected a whole number of 64 bits, found the text `x` [bad-default]",
        ),
        (
            "{fields: [{name: a, type: int, max: 3}], default: {a: 4}}",
            "`default`: field `a`: expected at most 3, found 4",
        ),
        ("{fields: [{name: a}], default: {}}", "`default`: field `a`: no value and no default"),
        (
            "{fields: [{name: a, default: x}], default: {b: 1}}",
            "`default`: field `b` is not declared; fields: a",
        ),
        ("{fields: [{name: a}], default: 5}", "`default` must be"),
        ("{fields: [{name: a}], of: 2}", "unknown field `of`"),
    ] {
        let shown = only(&step(&format!("uses: input\nwith: {with}")));
        assert!(shown.contains(told), "{with}: {shown}");
    }
    assert!(only(&step("uses: input")).contains("`input` needs `fields`"));
}

#[test]
fn a_question_takes_nothing_of_a_task() {
    for (field, told) in [
        (
            "timeout: 1h",
            "`timeout` does not go with `uses: approval`, which makes no task [bad-field]\n  hint: write it in `with`",
        ),
        ("retry: {limit: 1}", "`retry` does not go with `uses: approval`"),
        ("pool: gpu", "`pool` does not go with"),
        ("env: {A: b}", "`env` does not go with"),
        ("locks: [db]", "nobody should hold a lock while people think"),
        ("outputs: {approved: bool}", "it gives `approved`, `by` and `comment`"),
        ("shards: 3", "`shards` does not go with"),
        ("repeat: {until: run.id == 'x', max: 2}", "`repeat` does not go with"),
    ] {
        let shown = only(&step(&format!("uses: approval\n{field}")));
        assert!(shown.contains(told), "{field}: {shown}");
    }
}

#[test]
fn what_others_call_a_question_leads_to_it() {
    for (word, told) in [
        ("manual_approval", "write uses: approval"),
        ("pause", "write uses: approval"),
        ("form", "write uses: input"),
        ("aproval", "did you mean `approval`?"),
    ] {
        let shown = only(&step(&format!("uses: {word}")));
        assert!(shown.contains(told), "{word}: {shown}");
    }
    let shown = only(&step("run: x\napprovers: [ann]"));
    assert!(shown.contains("write uses: approval"), "{shown}");
    let used = "name: w\nsteps:\n  - {name: a, uses: approval}\n  - {name: b, depends_on: [a], run: x, env: {BY: \"${{ outputs.a.who }}\"}}\n";
    assert!(only(used).contains("[unknown-output]"));
}
