//! `foreach`, `matrix`, `shards`.

use crate::fixture::{only, problems, step};

#[test]
fn a_fan_over_what_is_no_list_is_refused_where_it_stands() {
    for (field, told) in [
        ("foreach: x", "`foreach` must be a list, or one expression that gives one, found `x` [wrong-type]"),
        ("foreach: {items: \"a ${{ params.x }}\"}", "`items` must be a list, or one expression"),
        ("foreach: {max_parallel: 3}", "`foreach` needs `items` [missing-field]"),
        ("foreach: {items: [a], max_parallel: 0}", "must be a whole number from 1 to 100000"),
        ("foreach: {items: [a], fail_fast: yes}", "hint: write true"),
        ("foreach: {items: [a], tolerate: 101%}", "write tolerate: 3, or tolerate: 5%"),
        ("foreach: {items: [a], tolerate: -1}", "`tolerate` must be a number of items, or a share of them"),
        ("foreach: {items: [a], parallelism: 3}", "hint: write max_parallel: 8"),
        ("shards: 0", "`shards`: expected a whole number from 1 to 100000, found 0 [bad-value]"),
        ("shards: 100001", "found 100001"),
        ("shards: 2.5", "found 2.5"),
        ("shards: four", "expected a whole number from 1 to 100000, found a text"),
        ("shards: {max_parallel: 2}", "`shards` needs `count`"),
        ("matrix: {}", "`matrix` has no axis"),
        ("matrix: {rate: 3}", "`rate` must be a list"),
        ("matrix: {Rate: [3]}", "[bad-name]"),
        ("matrix: {rate: [1], max_paralel: 2}", "did you mean `max_parallel`?"),
        ("foreach: [1]\ntolerate: 3", "write it beside the items: foreach: {items: [a, b], max_parallel: 8}"),
        ("matrix: {rate: [1], exclude: [1]}", "`exclude` must be a map"),
        ("matrix: {rate: [1]}\nshards: 3", "found `matrix` too [bad-field]"),
        ("foreach: [1]\nuses: wait\nwith: {for: 1s}", "`foreach` does not go with `uses: wait`"),
        ("strategy: {matrix: {a: [1]}}", "hint: write matrix: {rate: [0.1, 0.01]}"),
    ] {
        let run = if field.contains("uses") { "" } else { "run: x\n" };
        let shown = only(&step(&format!("{run}{field}")));
        assert!(shown.contains(told), "{field}: {shown}");
    }
}

#[test]
fn a_list_or_a_matrix_that_is_too_long_is_refused() {
    let list = vec!["1"; 100_001].join(", ");
    let told = only(&step(&format!("run: x\nforeach: [{list}]")));
    assert!(told.contains("`foreach` has 100001 items: expected at most 100000 [out-of-range]"), "{told}");
    let axis = |count| vec!["1"; count].join(", ");
    let told = only(&step(&format!("run: x\nmatrix: {{a: [{}], b: [{}]}}", axis(500), axis(201))));
    assert!(told.contains("`matrix`: 100500 items; expected at most 100000 [out-of-range]"), "{told}");
}

/// Its number of items says little of a matrix whose values are long, or which is held against many maps.
#[test]
fn a_matrix_that_is_too_large_is_refused_and_one_with_many_maps_is_soon_made() {
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let long = "x".repeat(6_000);
    let told = only(&step(&format!("run: x\nmatrix: {{a: ['{long}'], b: [{}]}}", numbers(3_000))));
    assert!(told.contains("`matrix`: its items are too large: expected at most 16777216 bytes"), "{told}");
    let told =
        only(&step(&format!("run: x\nmatrix: {{b: [{}], include: [{{a: '{long}'}}]}}", numbers(3_000))));
    assert!(told.contains("its items are too large"), "{told}");

    let maps: Vec<String> = (0..20_000).map(|n| format!("{{a: {}, b: {}}}", n % 316, n / 316)).collect();
    let maps = maps.join(", ");
    let axes = format!("a: [{}], b: [{}]", numbers(316), numbers(310));
    for field in ["include", "exclude"] {
        let source = step(&format!("run: x\nmatrix: {{{axes}, {field}: [{maps}]}}"));
        let began = std::time::Instant::now();
        assert!(millrace_domain::definition::parse(&source, "f.yaml").is_ok());
        assert!(began.elapsed().as_secs() < 20, "{field}: {:?}", began.elapsed());
    }
    let names: Vec<String> = (0..30).map(|n| format!("{{a: 1, n{n}: 1}}")).collect();
    let told = only(&step(&format!("run: x\nmatrix: {{{axes}, exclude: [{}]}}", names.join(", "))));
    assert!(told.contains("`matrix.exclude`: 30 different sets of names for 97960 combinations"), "{told}");
}

#[test]
fn all_that_is_wrong_with_a_fan_is_told_at_once() {
    let told =
        problems(&step("run: x\nforeach: {items: [a], max_parallel: 0, tolerate: 200%, fail_fast: 3}"));
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn an_item_is_known_to_the_env_and_the_input_of_a_step_that_fans_out_and_nowhere_else() {
    for field in
        ["env: {A: \"${{ item }}\"}", "foreach: [\"${{ item_index }}\"]", "foreach: [1]\nif: item > 0"]
    {
        let told = only(&step(&format!("run: x\n{field}")));
        assert!(told.contains("cannot be used here: there is no item"), "{told}");
    }
}

#[test]
fn the_outputs_of_items_are_a_list_and_a_key_of_it_is_answered_with_what_to_write() {
    let told = only(
        "name: w\nsteps:\n  - {name: each, foreach: [1], run: x}\n  - {name: join, depends_on: [each], run: x, env: {A: \"${{ outputs.each.n }}\"}}\n",
    );
    assert!(
        told.contains("`outputs.each` is a list, with the outputs of each item: it has no `n`"),
        "{told}"
    );
    assert!(told.contains("write outputs.each | select | map(attribute='n')"), "{told}");
}

#[test]
fn a_repetition_and_a_question_say_what_they_lack() {
    for (field, told) in [
        ("repeat: {max: 3}", "`repeat` needs `until` [missing-field]"),
        ("repeat: {until: params.x > 1, max: 3}", "`params.x` is not declared"),
        ("repeat: {until: \"true\"}", "`repeat` needs `max`"),
        ("repeat: {until: \"true\", max: 0}", "must be a whole number from 1 to 1000000"),
        ("repeat: {until: \"true\", max: 2, delay: 3}", "`delay`"),
        ("repeat: {while: a, until: \"true\", max: 2}", "write until: with the condition that ends it"),
        ("repeat: {until: outputs.b.x, max: 2}", "`outputs.b`: there is no such step"),
        ("retry: {then: stop}", "`then` must be ask or fail, found `stop`"),
        ("retry: {ask_timeout: 1h}", "`ask_timeout` goes with `then: ask` only"),
    ] {
        let shown = only(&step(&format!("run: x\n{field}")));
        assert!(shown.contains(told), "{field}: {shown}");
    }
}
