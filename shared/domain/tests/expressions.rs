//! What `${{ }}` promises to whoever writes a definition.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use millrace_domain::definition::Params;
use millrace_domain::expression::{Fire, Given, Scope, Template, Templated, Use};
use millrace_domain::{RunId, Timestamp, WorkflowId};
use serde_json::{Map, Value, json};

/// 2026-03-01T23:30:00Z, which is March 2 in Shanghai.
const FIRED: Timestamp = Timestamp::from_millis(1_772_407_800_000);
const RUN: &str = "0190b5d4-7c4e-7000-8000-000000000003";

fn params() -> Params {
    [("date", json!("2026-03-01")), ("n", json!(3)), ("ok", json!(true)), ("cfg", json!({"deep": [1, null]}))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn with_scope<T>(check: impl FnOnce(&Scope<'_>) -> T) -> T {
    let params = params();
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let workflow: WorkflowId = "daily".parse().unwrap();
    let run: RunId = RUN.parse().unwrap();
    let extract: Map<String, Value> =
        json!({"rows": 5, "tables": ["a", "b"], "text": "5", "a-b": 1}).as_object().cloned().unwrap();
    let outputs = |step: &str| (step == "extract").then_some(Given::Step(&extract));
    check(&Scope {
        params: &params,
        outputs: &outputs,
        run: Some((run, &workflow)),
        fire: Fire { time: FIRED, zone: &zone },
        item: None,
    })
}

fn render(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|e| e.to_string())?;
    with_scope(|scope| template.render(scope).map_err(|e| e.to_string()))
}

#[test]
fn one_expression_alone_keeps_its_type() {
    assert_eq!(render("${{ outputs.extract.rows }}"), Ok(json!(5)));
    assert_eq!(render("${{ params.cfg }}"), Ok(json!({"deep": [1, null]})));
    assert_eq!(render("${{ params.ok }}"), Ok(json!(true)));
    assert_eq!(render("${{ params.n / 2 }}"), Ok(json!(1.5)));
    assert_eq!(render("${{ none }}"), Ok(Value::Null));
}

#[test]
fn inside_text_what_is_no_text_is_written_as_json() {
    assert_eq!(
        render("n=${{ params.n }}, cfg=${{ params.cfg }}\n"),
        Ok(json!("n=3, cfg={\"deep\":[1,null]}\n"))
    );
    assert_eq!(render("${{ params.ok }}${{ none }} ${{ params.date }}"), Ok(json!("truenull 2026-03-01")));
}

#[test]
fn only_the_marks_make_an_expression_and_a_line_end_is_kept() {
    assert_eq!(render("{% if %} {# x #} {{ y }} $x\n"), Ok(json!("{% if %} {# x #} {{ y }} $x\n")));
    assert_eq!(render(""), Ok(json!("")));
    assert!(Template::parse("{{ y }}").unwrap().is_literal());
}

#[test]
fn the_end_of_an_expression_is_found_past_texts_and_maps() {
    assert_eq!(render(r#"${{ "}}" }}!"#), Ok(json!("}}!")));
    assert_eq!(render(r#"${{ {"a": {"b": params.n}} }}"#), Ok(json!({"a": {"b": 3}})));
    assert_eq!(render(r#"${{ "${{" }}"#), Ok(json!("${{")));
}

#[test]
fn the_fire_is_told_in_the_zone_of_the_workflow() {
    assert_eq!(render("${{ fire.time }}"), Ok(json!("2026-03-02T07:30:00+08:00")));
    assert_eq!(render("${{ fire.date() }} ${{ fire.date(-2) }}"), Ok(json!("2026-03-02 2026-02-28")));
    assert!(render("${{ fire.date('x') }}").unwrap_err().contains("whole number of days"));
    assert!(render("${{ fire.date(99999999) }}").unwrap_err().contains("whole number of days"));
}

#[test]
fn a_run_knows_its_id_and_its_workflow() {
    assert_eq!(render("${{ run.workflow }}/${{ run.id }}"), Ok(json!(format!("daily/{RUN}"))));
}

#[test]
fn an_undefined_name_is_an_error_that_lists_what_there_is() {
    assert_eq!(
        render("${{ params.day }}").unwrap_err(),
        "`params.day` is not defined; params: cfg, date, n, ok"
    );
    assert_eq!(
        render("a ${{ outputs.extract.row + 1 }}").unwrap_err(),
        "`outputs.extract.row` is not defined; outputs of step `extract`: a-b, rows, tables, text"
    );
    assert_eq!(
        render("${{ outputs.load.x }}").unwrap_err(),
        "`outputs.load` is not defined: step `load` has not ended"
    );
    assert!(render("${{ params.cfg.shallow }}").unwrap_err().contains("something in `params.cfg.shallow`"));
    assert!(render("${{ 1 if false }}").unwrap_err().contains("is not defined"));
    assert_eq!(render("${{ params.day|default('x') }}"), Ok(json!("x")));
}

#[test]
fn comparing_text_with_a_number_is_an_error() {
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        let error = render(&format!("${{{{ outputs.extract.text {operator} 5 }}}}")).unwrap_err();
        assert!(error.contains("cannot compare text with a number"), "{operator}: {error}");
        assert!(error.contains("|int"), "{error}");
    }
    assert!(render("${{ 1 == 'a' or true }}").unwrap_err().contains("a number with text"));
    assert!(render("${{ params.ok == 'true' }}").unwrap_err().contains("in quotes"));
    assert!(render("${{ params.cfg.deep|select('eq', 'x')|list }}").unwrap_err().contains("cannot compare"));
    assert!(render("${{ (1 if params.n == '3' else 2) }}").unwrap_err().contains("cannot compare"));
    assert_eq!(render("${{ outputs.extract.text|int == 5 }}"), Ok(json!(true)));
    assert_eq!(render("${{ params.date == none }}"), Ok(json!(false)));
    assert!(render("${{ params.day == 1 }}").unwrap_err().contains("`params.day` is not defined"));
}

/// Expressions whose value does not depend on how comparisons are evaluated.
#[test]
fn comparisons_bind_as_in_minijinja() {
    let plain = minijinja::Environment::new();
    for source in [
        "1 + 2 == 3 and not 2 * 2 == 5",
        "not 1 == 2",
        "not (1 == 2) == true",
        "1 < 2 or 3 < 2",
        "'a' ~ 'b' == 'ab'",
        "[1 == 1, 2 > 3, {'a': 1 != 2}]",
        "'yes' if 2 >= 2 else 'no'",
        "1 if 'a' == 'b' else 2 if 3 == 3 else 4",
        "'abc'|length == 3",
        "1 is defined == true",
        "2 not in [1] and 1 in [1]",
        "(1 == 1) == (2 == 2)",
        "[3, 1, 2]|sort|first <= 1",
        "'a' is string and 1 is not string",
        "-1 < 1",
        "2 ** 3 == 8 and 7 // 2 == 3 and 7 % 2 == 1",
        "[1, 2, 3][1 if 1 == 1 else 0]",
        "[1, 2, 3, 4][1:(3 if 1 < 2 else 2)]",
        "'==' == '=' ~ '='",
        "[1, 5]|map('string')|join(', ') == '1, 5'",
        "{'a': 1}.a == 1",
        "4 is divisibleby 2 and 4 == 4",
    ] {
        let expected = plain.compile_expression(source).unwrap().eval(()).unwrap();
        let expected = serde_json::to_value(expected).unwrap();
        assert_eq!(render(&format!("${{{{ {source} }}}}")), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_before_anything_runs() {
    for (text, said) in [
        ("${{ 1 + }}", "cannot be read"),
        ("${{ }}", "is empty"),
        ("${{ params.a", "never closed"),
        ("${{ 'a }}", "closing quote"),
        ("${{ a b }}", "cannot be read"),
        ("${{ 1 < 2 < 3 }}", "write `a < b and b < c`"),
        ("${{ range(3) }}", "unknown name `range`"),
        ("${{ thing }}", "expected one of params, outputs, run, fire, item, item_index"),
        ("${{ params.n|indent(99999999) }}", "unknown filter `indent`"),
    ] {
        let error = Template::parse(text).unwrap_err();
        assert!(error.message.contains(said), "{text}: {error}");
    }
    let long = format!("${{{{ {} }}}}", "1 + ".repeat(2000) + "1");
    assert!(Template::parse(&long).unwrap_err().message.contains("at most 4096"));
    let many = "${{ 1 }} ".repeat(1500);
    assert!(Template::parse(&many).unwrap_err().message.contains("at most 1000"));
    let deep = format!("${{{{ {}1{} }}}}", "(".repeat(1500), ")".repeat(1500));
    assert!(Template::parse(&deep).is_err());
}

#[test]
fn what_grows_without_bound_is_stopped() {
    let (long, longer) = ("a".repeat(900), "a".repeat(1_500));
    // 810,000 bytes: one of them is no trouble.
    let made = format!("'{long}'|replace('a', '{long}')");
    assert!(render(&format!("${{{{ {made} }}}}")).is_ok());
    for text in [
        format!("${{{{ '{longer}'|replace('a', '{longer}') }}}}"),
        format!("${{{{ {made} }}}} and ${{{{ {made} }}}}"),
        format!("${{{{ [{made}, {made}]|join(', ') }}}}"),
    ] {
        let error = render(&text).unwrap_err();
        assert!(error.contains("too long"), "{error}");
    }
    assert!(render("${{ params.cfg.deep|map('format', 'x')|list }}").is_err());
}

#[test]
fn uses_are_known_without_a_scope() {
    let template = Template::parse("${{ params.a }}-${{ outputs.x.y }}-${{ params.a }}").unwrap();
    let uses: Vec<&Use> = template.uses().collect();
    assert_eq!(uses[0], &Use::Param("a".into()));
    assert_eq!(uses[1], &Use::Output { step: "x".into(), key: Some("y".into()) });
}

#[test]
fn json_keeps_its_shape_and_renders_its_texts() {
    let body = json!({"a": ["${{ params.n }}", 1.5, {"b": "n is ${{ params.n }}"}], "${{ key }}": null});
    let templated = Templated::parse(body.clone()).unwrap();
    assert!(!templated.is_literal() && templated.uses().len() == 2);
    with_scope(|scope| {
        let expected = json!({"a": [3, 1.5, {"b": "n is 3"}], "${{ key }}": null});
        assert_eq!(templated.render(scope), Ok(expected));
        assert_eq!(Templated::literal(body.clone()).render(scope), Ok(body));
    });
}

#[test]
fn only_the_outputs_that_are_named_are_looked_up() {
    let asked = std::cell::RefCell::new(Vec::new());
    let params = Params::new();
    let extract: Map<String, Value> = Map::from_iter([("rows".to_owned(), json!(1))]);
    let outputs = |step: &str| {
        asked.borrow_mut().push(step.to_owned());
        (step == "extract").then_some(Given::Step(&extract))
    };
    let fire = Fire { time: FIRED, zone: &jiff::tz::TimeZone::UTC };
    let scope = Scope { params: &params, outputs: &outputs, run: None, fire, item: None };
    let template = Template::parse("${{ outputs.extract.rows + outputs.extract.rows }}").unwrap();
    assert_eq!(template.render(&scope), Ok(json!(2)));
    assert_eq!(*asked.borrow(), ["extract"]);
}

#[test]
fn only_numbers_are_multiplied_so_that_no_expression_makes_more_than_it_was_given() {
    let scope = Scope::of_defaults;
    let zone = jiff::tz::TimeZone::UTC;
    let params: Params =
        [("n".to_owned(), json!(7)), ("list".to_owned(), json!([1, 2]))].into_iter().collect();
    let fire = Fire { time: Timestamp::from_millis(0), zone: &zone };
    let of = |source: &str| {
        let template = Template::parse(&format!("${{{{ {source} }}}}")).unwrap();
        template.render(&scope(&params, fire)).map_err(|error| error.message)
    };
    for (source, value) in [
        ("params.n * 6", json!(42)),
        ("2 * params.n|float * 0.5", json!(7.0)),
        ("-params.n * -(1 + 1)", json!(14)),
        ("params.list|length * params.list[1]", json!(4)),
        ("params.n * 2 == 14 and 2 ** 3 * 2 == 16", json!(true)),
        ("[params.n * 2, {'a': 3 * 3}]", json!([14, {"a": 9}])),
        ("params.n * 2 if params.n > 3 else 0", json!(14)),
    ] {
        assert_eq!(of(source), Ok(value), "{source}");
    }
    for source in [
        "[1] * 1000",
        "1000 * [1]",
        "'a' * 1000",
        "params.list * params.n",
        "params.n * params.list",
        "([[[1] * 1000] * 1000] * 1000)|tojson",
        "('a' ~ 'b') * 2",
        "params.list|list * 2",
    ] {
        assert!(
            of(source).unwrap_err().contains("only numbers can be multiplied"),
            "{source}: {:?}",
            of(source)
        );
    }
    assert!(of("params.none * 2").unwrap_err().contains("`params.none` is not defined"));
}

/// Each may be within bounds, and all together not.
#[test]
fn what_all_expressions_of_one_value_give_is_bounded_and_so_is_how_deep_it_is_nested() {
    let render = |value: Value| {
        let templated = Templated::parse(value).unwrap();
        with_scope(|scope| templated.render(scope).map_err(|error| error.to_string()))
    };
    let long = format!("${{{{ '{}'|replace('a', '{}') }}}}", "a".repeat(1_000), "b".repeat(1_000));
    assert!(render(json!(vec![&long; 16])).is_ok());
    let error = render(json!(vec![&long; 17])).unwrap_err();
    assert!(error.contains("the values are too large: expected at most 16777216 bytes"), "{error}");

    let nested =
        |levels: usize| format!("${{{{ '{}{}'|fromjson }}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(render(json!([nested(95)])).is_ok());
    let error = render(json!([nested(96)])).unwrap_err();
    assert!(error.contains("nested too deep: expected at most 96 levels of lists and maps"), "{error}");
}
