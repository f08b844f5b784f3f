//! The values of a run's params, held against what its workflow declares.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use millrace_domain::Timestamp;
use millrace_domain::definition::{self, Param, ParamKind, Params, check_params, env_of_params, from_text};
use millrace_domain::expression::Fire;
use serde_json::{Value, json};

const FIRED: Timestamp = Timestamp::from_millis(1_772_407_800_000);

fn declared(params: &str) -> Vec<Param> {
    let source = format!("name: w\nparams: {params}\nsteps: [{{name: a, run: x}}]\n");
    definition::parse(&source, "f").unwrap().remove(0).workflow.params
}

fn check(params: &str, given: &Value) -> Result<Value, Vec<String>> {
    let given: Params = given.as_object().unwrap().clone().into_iter().collect();
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    check_params(&declared(params), &given, Fire { time: FIRED, zone: &zone })
        .map(|params| Value::Object(params.into_iter().collect()))
}

#[test]
fn a_default_may_use_the_fire_and_the_params_before_it() {
    let params = "[{name: date, type: date, default: \"${{ fire.date(-1) }}\"}, \
                  {name: file, type: path, default: \"/data/${{ params.date }}.csv\"}, \
                  {name: n, type: int, default: \"${{ 1 + 1 }}\"}]";
    let whole = json!({"date": "2026-03-01", "file": "/data/2026-03-01.csv", "n": 2});
    assert_eq!(check(params, &json!({})), Ok(whole));
    let given = check(params, &json!({"date": "2020-01-31", "n": 7})).unwrap();
    assert_eq!(given, json!({"date": "2020-01-31", "file": "/data/2020-01-31.csv", "n": 7}));
}

#[test]
fn every_wrong_value_is_told_at_once() {
    let params =
        "[{name: a, type: int}, {name: b, type: bool, default: true}, {name: c, type: date}, {name: d}]";
    assert_eq!(
        check(params, &json!({"a": "5", "b": "yes", "c": "2026-13-01", "e": 1})).unwrap_err(),
        [
            "param `e` is not declared; params: a, b, c, d",
            "param `a`: expected a whole number of 64 bits, found the text `5`",
            "param `b`: expected true or false, found the text `yes`",
            "param `c`: expected a date as YYYY-MM-DD, found the text `2026-13-01`",
            "param `d`: no value and no default: expected a text",
        ]
    );
}

#[test]
fn an_undeclared_param_is_answered_with_the_one_that_was_meant() {
    assert_eq!(
        check("[{name: date, default: x}, {name: region, default: y}]", &json!({"dat": "z"})).unwrap_err(),
        ["param `dat` is not declared; params: date, region; did you mean `date`?"]
    );
    assert_eq!(
        check("[]", &json!({"dat": "z"})).unwrap_err(),
        ["param `dat` is not declared: the workflow has none"]
    );
}

#[test]
fn a_default_that_comes_out_wrong_is_told() {
    let error = check("[{name: a, type: int, default: \"${{ fire.date() }}\"}]", &json!({})).unwrap_err();
    assert_eq!(error, ["param `a`: expected a whole number of 64 bits, found the text `2026-03-02`"]);
    let error = check("[{name: a, type: json, default: \"${{ 1 // 0 }}\"}]", &json!({})).unwrap_err();
    assert!(error[0].contains("its default has no value"), "{error:?}");
}

#[test]
fn what_no_environment_can_hold_is_refused() {
    assert!(check("[{name: a}]", &json!({"a": "x\0y"})).unwrap_err()[0].contains("NUL"));
    let long = json!({"a": ["x".repeat(140_000)]});
    assert!(check("[{name: a, type: json}]", &long).unwrap_err()[0].contains("expected at most"));
    assert!(check("[{name: a, type: path}]", &json!({"a": ""})).unwrap_err()[0].contains("expected a path"));
}

#[test]
fn text_from_a_command_line_becomes_the_type_of_the_param() {
    let choices = ParamKind::Enum(vec!["eu".to_owned()]);
    for (kind, text, value) in [
        (&ParamKind::Int, "5", json!(5)),
        (&ParamKind::Float, "-2.5", json!(-2.5)),
        (&ParamKind::Bool, "false", json!(false)),
        (&ParamKind::String, "5", json!("5")),
        (&ParamKind::Date, "2024-02-29", json!("2024-02-29")),
        (&choices, "eu", json!("eu")),
        (&ParamKind::Json, "{\"a\": [1]}", json!({"a": [1]})),
    ] {
        assert_eq!(from_text(kind, text), Ok(value), "{text}");
    }
    for (kind, text, said) in [
        (&ParamKind::Int, "5.0", "expected a whole number of 64 bits, found the text `5.0`"),
        (&ParamKind::Int, "99999999999999999999", "expected a whole number"),
        (&ParamKind::Float, "inf", "expected a number"),
        (&ParamKind::Bool, "1", "expected true or false"),
        (&ParamKind::Date, "2026-3-1", "expected a date as YYYY-MM-DD"),
        (&ParamKind::Json, "hello", "a text needs double quotes"),
        (&choices, "us", "expected one of eu, found the text `us`"),
    ] {
        let error = from_text(kind, text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn params_reach_a_task_as_text_or_compact_json() {
    let params: Params =
        [("a".to_owned(), json!("x y")), ("b".to_owned(), json!({"c": [1]}))].into_iter().collect();
    let env: Vec<(String, String)> = env_of_params(&params).into_iter().collect();
    assert_eq!(env, [("a".to_owned(), "x y".to_owned()), ("b".to_owned(), "{\"c\":[1]}".to_owned())]);
}

#[test]
fn a_value_beyond_its_bounds_or_without_its_pattern_is_answered_with_what_was_expected() {
    let params = "[{name: n, type: int, min: 1, max: 10}, {name: share, type: float, max: 0.5}, \
                  {name: day, type: date, min: 2026-01-01}, {name: region, pattern: \"[a-z]{2}-[a-z]+\"}]";
    let fits = json!({"n": 10, "share": -3.5, "day": "2026-01-01", "region": "eu-west"});
    assert_eq!(check(params, &fits), Ok(fits));
    assert_eq!(
        check(params, &json!({"n": 0, "share": 0.51, "day": "2025-12-31", "region": "eu-west-1"}))
            .unwrap_err(),
        [
            "param `n`: expected at least 1, found 0",
            "param `share`: expected at most 0.5, found 0.51",
            "param `day`: expected at least `2026-01-01`, found `2025-12-31`",
            "param `region`: expected a text that matches `[a-z]{2}-[a-z]+`, found `eu-west-1`",
        ]
    );
    // A default that an expression makes is held against them when it is made.
    let late = "[{name: n, type: int, max: 1, default: \"${{ 1 + 1 }}\"}]";
    assert_eq!(check(late, &json!({})).unwrap_err(), ["param `n`: expected at most 1, found 2"]);
}
