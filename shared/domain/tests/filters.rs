//! The filters of expressions: each as the manual says, on the lists of maps with nulls that steps with items give, and
//! bounded whatever is built of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::time::{Duration, Instant};

use millrace_domain::Timestamp;
use millrace_domain::definition::Params;
use millrace_domain::expression::{Fire, Given, Scope, Template};
use serde_json::{Map, Value, json};

const MANUAL: &str = include_str!("../../../docs/definitions.md");

/// 2026-03-01T23:30:00Z, which is March 2 in Shanghai.
const FIRED: Timestamp = Timestamp::from_millis(1_772_407_800_000);

fn with(params: &Value, each: &Value, source: &str) -> Result<Value, String> {
    let template = Template::parse(&format!("${{{{ {source} }}}}")).map_err(|error| error.message)?;
    let params: Params = params.as_object().unwrap().clone().into_iter().collect();
    let extract: Map<String, Value> =
        json!({"rows": 5, "tables": ["orders", "customers"]}).as_object().cloned().unwrap();
    let outputs = |step: &str| match step {
        "extract" => Some(Given::Step(&extract)),
        "each" => Some(Given::Items(each)),
        _ => None,
    };
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let fire = Fire { time: FIRED, zone: &zone };
    let scope = Scope { params: &params, outputs: &outputs, run: None, fire, item: None };
    template.render(&scope).map_err(|error| error.message)
}

/// The value of an expression with the outputs that the manual uses.
fn of(source: &str) -> Result<Value, String> {
    with(&json!({"day": "2026-01-31"}), &each(), source)
}

fn each() -> Value {
    json!([{"n": 3, "t": "b"}, null, {"n": 1, "t": "a"}])
}

/// The rows of the table of filters: the filter, an example, and what it gives.
fn rows() -> Vec<(String, String, Value)> {
    let (_, section) = MANUAL.split_once("\n### Filters\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|"))
            .collect();
        let value = serde_json::from_str(&cells[2]).unwrap_or_else(|error| panic!("{line}: {error}"));
        (cells[0].clone(), cells[1].clone(), value)
    })
    .collect()
}

#[test]
fn every_example_of_the_manual_gives_what_the_manual_says() {
    for (filter, example, value) in rows() {
        assert!(example.contains(filter.split('(').next().unwrap()), "{filter}: {example}");
        assert_eq!(of(&example), Ok(value), "{example}");
    }
}

#[test]
fn the_manual_has_each_filter_once() {
    let told = of("1|xyzzyxyzzy").unwrap_err();
    let (_, all) = told.split_once("expected one of ").unwrap();
    let mut all: Vec<&str> = all.split(", ").filter(|filter| *filter != "d").collect();
    let rows = rows();
    let mut documented: Vec<&str> =
        rows.iter().map(|(filter, ..)| filter.split('(').next().unwrap()).collect();
    documented.sort_unstable();
    all.sort_unstable();
    assert_eq!(documented, all);
    assert!(of("fire.time|strtime('%Y')").unwrap_err().contains("did you mean `strftime`?"));
    assert!(of("fire.date()|add_day(1)").unwrap_err().contains("did you mean `add_days`?"));
}

#[test]
fn lists_of_maps_with_nulls_such_as_items_give_are_worked_with() {
    for (source, value) in [
        ("outputs.each|select|map(attribute='n')|sum", json!(4)),
        ("outputs.each|select|map(attribute='n')|list", json!([3, 1])),
        ("outputs.each|select|sum(attribute='n')", json!(4)),
        ("outputs.each|select|map(attribute='n')|max", json!(3)),
        ("outputs.each|select|min(attribute='n')", json!({"n": 1, "t": "a"})),
        ("outputs.each|select|sort(attribute='n')|map(attribute='t')|join(',')", json!("a,b")),
        ("outputs.each|select|map(attribute='t')|sort|first", json!("a")),
        ("outputs.each|select|selectattr('n', 'gt', 1)|list", json!([{"n": 3, "t": "b"}])),
        ("outputs.each|select|rejectattr('n', 'gt', 1)|map(attribute='t')|list", json!(["a"])),
        ("outputs.each|select|map(attribute='m', default=0)|list", json!([0, 0])),
        ("outputs.each|length", json!(3)),
        ("outputs.each|select|length", json!(2)),
        ("outputs.each|select('none')|length", json!(1)),
        ("outputs.each|first", json!({"n": 3, "t": "b"})),
        ("outputs.each|last", json!({"n": 1, "t": "a"})),
        ("outputs.each[1]|default('x')", Value::Null),
        ("outputs.each[1]|default('x', true)", json!("x")),
        ("outputs.each[7]|default('x')", json!("x")),
        ("outputs.each|tojson", json!("[{\"n\": 3, \"t\": \"b\"}, null, {\"n\": 1, \"t\": \"a\"}]")),
        ("outputs.each|join(' ')", json!("{\"n\":3,\"t\":\"b\"} null {\"n\":1,\"t\":\"a\"}")),
        ("[1, none, 1, none, {'a': none}, {'a': none}]|unique|list", json!([1, null, {"a": null}])),
        ("[]|sum", json!(0)),
        ("[]|first|default(0)", json!(0)),
        ("[]|max|default(0)", json!(0)),
    ] {
        assert_eq!(of(source), Ok(value), "{source}");
    }
    // What has no answer is an error, and not a wrong one.
    for source in [
        "outputs.each|map(attribute='n')|sum",
        "[1, none]|sum",
        "[1, 'a']|sum",
        "outputs.each|select|map(attribute='m')|sum",
        "[]|first",
        "[]|max",
    ] {
        assert!(of(source).is_err(), "{source}: {:?}", of(source));
    }
}

#[test]
fn dates_and_instants_are_moved_and_keep_their_form() {
    for (source, value) in [
        ("'2026-01-31'|add_months(1)", json!("2026-02-28")),
        ("'2024-02-29'|add_years(1)", json!("2025-02-28")),
        ("'2024-02-29'|add_years(-4)", json!("2020-02-29")),
        ("'2026-03-31'|add_months(-1)", json!("2026-02-28")),
        ("'2026-12-31'|add_days(1)", json!("2027-01-01")),
        ("fire.time", json!("2026-03-02T07:30:00+08:00")),
        ("fire.time|add_hours(-8)", json!("2026-03-01T23:30:00+08:00")),
        ("fire.time|add_minutes(45)", json!("2026-03-02T08:15:00+08:00")),
        ("fire.time|add_months(1)", json!("2026-04-02T07:30:00+08:00")),
        ("'2026-03-01T23:30:00Z'|add_hours(1)", json!("2026-03-02T00:30:00Z")),
        ("'2026-03-01T23:30:00.25-05:30'|add_days(1)", json!("2026-03-02T23:30:00.25-05:30")),
        ("fire.time|start_of_month", json!("2026-03-01T00:00:00+08:00")),
        ("fire.time|end_of_month", json!("2026-03-31T23:59:59+08:00")),
        ("fire.time|start_of_week", json!("2026-03-02T00:00:00+08:00")),
        ("'2026-03-01'|start_of_week", json!("2026-02-23")),
        ("'2024-02-10'|end_of_month", json!("2024-02-29")),
        ("'2026-03-01'|weekday", json!(7)),
        ("fire.time|weekday", json!(1)),
        ("'2026-03-01'|days_until('2026-02-28')", json!(-1)),
        ("fire.time|days_until('2026-12-31')", json!(304)),
        ("fire.time|strftime('%Y%m%dT%H%M%S%z')", json!("20260302T073000+0800")),
        ("fire.date()|strftime('%d.%m.%Y, %A, week %V')", json!("02.03.2026, Monday, week 10")),
        ("['2026-01-31', '2026-05-31']|map('add_months', 1)|list", json!(["2026-02-28", "2026-06-30"])),
        ("fire.date(-1)|add_days(1) == fire.date()", json!(true)),
        ("params.day|add_days(params.none|default(1))", json!("2026-02-01")),
    ] {
        assert_eq!(of(source), Ok(value), "{source}");
    }
}

#[test]
fn what_is_no_date_is_told_with_what_was_found() {
    for (source, told) in [
        (
            "'2026-02-30'|add_days(1)",
            "add_days needs a date (YYYY-MM-DD) or an instant (RFC 3339 with an offset), found `2026-02-30`",
        ),
        ("'yesterday'|weekday", "weekday needs a date (YYYY-MM-DD) or an instant"),
        ("20260301|start_of_month", "found 20260301"),
        ("none|end_of_month", "found none"),
        ("outputs.extract.tables|weekday", "found a list of 2"),
        ("'2026-03-01T10:00'|add_hours(1)", "found `2026-03-01T10:00`"),
        ("'2026-03-01T10:00:00+08:00[Asia/Shanghai]'|add_days(1)", "found `2026-03-01T10:00:00+08:00[Asia"),
        ("'20260301'|add_days(1)", "found `20260301`"),
        (
            "'2026-03-01'|add_hours(1)",
            "add_hours needs an instant, such as fire.time, found the date `2026-03-01`",
        ),
        ("'2026-03-01'|add_days('1')", "add_days takes a whole number, such as -1, found `1`"),
        ("'2026-03-01'|add_days(1.5)", "found 1.5"),
        ("'2026-03-01'|add_days(true)", "found true"),
        ("'2026-03-01'|add_years(9000)", "outside the calendar"),
        ("'2026-03-01'|add_years(-3000)", "outside the calendar"),
        ("'0000-01-01'|start_of_week", "outside the calendar"),
        ("'2026-03-01'|add_days(9223372036854775807)", "outside the calendar"),
        ("fire.time|add_minutes(-9223372036854775807)", "outside the calendar"),
        ("'2026-03-01'|days_until(3)", "days_until needs a date"),
        ("'2026-03-01'|strftime('%H')", "strftime cannot write a date as `%H`"),
        ("'2026-03-01'|strftime('%!')", "strftime cannot write a date as `%!`"),
        ("params.none|add_days(1)", "`params.none` is not defined"),
    ] {
        let error = of(source).unwrap_err();
        assert!(error.contains(told), "{source}: {error}");
    }
}

#[test]
fn a_text_that_is_json_becomes_its_value_and_any_other_is_told() {
    for (source, value) in [
        ("'[1, {\"a\": null}]'|fromjson", json!([1, {"a": null}])),
        ("'{\"rows\": 3}'|fromjson|items|first|last", json!(3)),
        ("('{\"rows\": 3}'|fromjson).rows + 1", json!(4)),
        ("outputs.each|tojson|fromjson|length", json!(3)),
    ] {
        assert_eq!(of(source), Ok(value), "{source}");
    }
    for (source, told) in [
        ("'{a: 1}'|fromjson", "fromjson: expected JSON, found `{a: 1}`: key must be a string"),
        ("''|fromjson", "fromjson: expected JSON, found ``: EOF"),
        ("3|fromjson", "fromjson needs a text, found 3"),
        ("outputs.extract.tables|fromjson", "fromjson needs a text, found a list of 2"),
        ("none|fromjson", "fromjson needs a text, found none"),
        ("'[12345678901234567890123]'|fromjson", "would lose digits"),
        ("params.none|fromjson", "`params.none` is not defined"),
    ] {
        let error = of(source).unwrap_err();
        assert!(error.contains(told), "{source}: {error}");
    }
}

#[test]
fn what_an_expression_makes_of_the_outputs_of_many_items_is_bounded() {
    // 8 MiB, which is what a step with items may give.
    let each = json!(vec![json!({"t": "x".repeat(8_000)}); 1_000]);
    let many = |of: &str, between: &str| vec![of; 150].join(between);
    for (source, told) in [
        (
            format!("[{}]", many("outputs.each", ", ")),
            "is too large: expected at most 16777216 bytes of JSON",
        ),
        (many("outputs.each", " ~ "), "the text is too long: expected at most 1048576 bytes"),
        (many("outputs.each[0].t", " + "), "the text is too long: expected at most 1048576 bytes"),
        (format!("{}|length", many("outputs.each", " ~ ")), "the text is too long"),
        ("outputs.each|map(attribute='t')|sum(start='')".to_owned(), "put texts together with |join"),
        ("outputs.each|map(attribute='t')|sum('t', '')".to_owned(), "put texts together with |join"),
        ("outputs.each|map(attribute='t')|join".to_owned(), "the text is too long"),
    ] {
        let begun = Instant::now();
        let error = with(&json!({}), &each, &source).expect_err(&source);
        assert!(error.contains(told), "{source}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{source}: {:?}", begun.elapsed());
    }
    let numbers = json!((0..10_000).collect::<Vec<_>>());
    let error = with(&json!({}), &numbers, "outputs.each|select('in', outputs.each)|length").unwrap_err();
    assert!(error.contains("the lists that `in` looks through are too long"), "{error}");
    assert_eq!(with(&json!({}), &numbers, "outputs.each|select('in', [1, 2])|list"), Ok(json!([1, 2])));
    assert_eq!(
        with(&json!({}), &each, "outputs.each|length + (outputs.each + outputs.each)|length"),
        Ok(json!(3000))
    );
    assert_eq!(
        with(&json!({}), &each, "outputs.each").map(|value| value.as_array().unwrap().len()),
        Ok(1000)
    );
}

#[test]
fn what_filters_make_of_long_lists_is_bounded_in_all() {
    let long = json!({"day": "[".repeat(500_000), "deep": "[".repeat(200), "list": "[[],[]".repeat(4000),
        "text": "a".repeat(120_000), "items": vec!["2026-03-01"; 100_000], "letters": vec!["a"; 100_000]});
    let many = |of: &str| vec![of; 100].join(", ");
    for (source, told) in [
        ("params.day|fromjson".to_owned(), "recursion limit exceeded"),
        ("params.deep|fromjson".to_owned(), "recursion limit exceeded"),
        (format!("'[{}]'|fromjson", "[]".repeat(100)), "expected JSON"),
        (format!("[{}]|map('replace', 'a', 'bbbb')|list", many("params.text")), "too much"),
        (format!("params.letters|map('replace', 'a', '{}')|length", "b".repeat(3000)), "too much"),
        (format!("[{}]|map('tojson')|length", many("params.items")), "too much"),
        (format!("params.items|map('strftime', '{}')|length", "%A %B".repeat(25)), "too much"),
        (format!("fire.time|strftime('{}')", "%c".repeat(60)), "bytes: expected at most 512"),
        (format!("'2026-03-01'|strftime('{}')", "%d".repeat(65)), "the format has 130 bytes"),
    ] {
        let begun = Instant::now();
        let error = with(&long, &each(), &source).expect_err(&source);
        assert!(error.contains(told), "{source}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{source}: {:?}", begun.elapsed());
    }
    let json = json!({"text": format!("[{}1]", "[],".repeat(250_000))});
    assert_eq!(with(&json, &each(), "params.text|fromjson|length"), Ok(json!(250_001)));
    let error = with(&json, &each(), "[params.text, params.text]|map('fromjson')|length").unwrap_err();
    assert!(error.contains("the filters of one expression make too much"), "{error}");
}
