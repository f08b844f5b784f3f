//! What a sound definition means, field by field.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::time::Duration;

use millrace_domain::definition::{self, ParamKind, Step, Workflow};
use millrace_domain::expression::Templated;
use millrace_domain::{Outcome, Priority, RetryPolicy, StepIndex};
use serde_json::json;

fn all(source: &str) -> Vec<Workflow> {
    let parsed = definition::parse(source, "f.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    parsed.into_iter().map(|parsed| parsed.workflow).collect()
}

fn one(source: &str) -> Workflow {
    let mut all = all(source);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn step(fields: &str) -> Step {
    let fields = fields.replace('\n', "\n    ");
    one(&format!("name: w\nsteps:\n  - name: a\n    {fields}\n")).steps.remove(0)
}

fn input(step: &Step) -> serde_json::Value {
    step.with.to_literal().unwrap()
}

#[test]
fn a_stored_definition_is_read_as_it_was_accepted_whatever_is_refused_since() {
    let source = "name: w\nschedule: \"0 2 ? * 2\"\nsteps:\n  - name: a\n    uses: http\n    \
                  with: {method: POST, url: \"http://x/\", body: {id: 12345678901234567890123}}\n";
    let refused = definition::parse(source, "f.yaml").unwrap_err().to_string();
    assert!(refused.contains("bad-schedule") && refused.contains("number-too-long"), "{refused}");
    assert_eq!(definition::parse_stored(source).unwrap().schedules.len(), 1);
    assert!(definition::parse_stored("name: w\nsteps: []\n").is_err());
}

#[test]
fn the_least_workflow_has_the_documented_defaults() {
    let workflow = one("name: w\nsteps: [{name: a, run: echo hi}]\n");
    assert_eq!(workflow.id.as_str(), "w");
    assert_eq!(
        (workflow.priority, workflow.timeout, workflow.timezone),
        (Priority::P2, None, jiff::tz::TimeZone::UTC)
    );
    let step = &workflow.steps[0];
    assert_eq!((step.uses, step.pool.to_string().as_str()), ("shell", "default"));
    assert_eq!((step.timeout, step.at_most_once, &step.working_dir), (None, false, &None));
    assert_eq!(*step.retry, RetryPolicy::default());
    assert_eq!(input(step), json!({"run": "echo hi"}));
    assert_eq!(workflow.graph.roots(), [StepIndex(0)]);
}

#[test]
fn every_field_of_this_release_is_read() {
    let workflow = one(r#"
name: daily_sales
description: Yesterday's sales report
labels: {team: finance, cost: 007}
schedule:
  - "0 2 * * *"
  - {cron: "0 3 * * 1", timezone: Europe/London}
  - {every: 30m}
  - {at: "2099-12-31T23:59:00+08:00"}
timezone: Asia/Shanghai
catchup: none
timeout: 2h
priority: 9
params:
  - {name: date, type: date, default: "${{ fire.date(-1) }}", description: The day}
  - {name: region, type: enum, values: [eu, us], default: eu}
env: {LANG: C, DAY: "${{ params.date }}"}
defaults: {pool: batch, timeout: 30m, retry: {limit: 2, delay: 5s}, env: {LANG: C.UTF-8}, working_dir: /srv}
steps:
  - name: extract
    run: python3 extract.py --date "$date"
    shell: [bash, -eo, pipefail, -c]
    retry: {limit: 5, backoff: 1.5, max_delay: 5m, jitter: false, outcomes: [failed]}
    timeout: 1h
    pool: gpu
    working_dir: data
    at_most_once: true
  - name: transform
    depends_on: [extract]
    uses: http
    with:
      method: POST
      url: "https://transform.example.com/${{ outputs.extract.id }}"
      headers: {X-Day: "${{ params.date }}", X-Version: 1.10}
      body: {rows: "${{ outputs.extract.rows }}", list: [1, "1", true, null]}
      expect: [200, 404]
  - {name: done, depends_on: [extract, transform], uses: noop}
"#);
    assert_eq!(workflow.description.as_deref(), Some("Yesterday's sales report"));
    assert_eq!(workflow.labels["cost"], "007");
    assert_eq!(workflow.schedules.len(), 4);
    assert_eq!(workflow.timezone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!((workflow.timeout, workflow.priority), (Some(Duration::from_secs(7200)), Priority::P0));
    assert_eq!(workflow.params[0].kind, ParamKind::Date);
    assert_eq!(workflow.params[1].kind, ParamKind::Enum(vec!["eu".into(), "us".into()]));
    assert_eq!(workflow.params[1].default, Some(Templated::literal(json!("eu"))));
    let names: Vec<&str> = workflow.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["DAY", "LANG"], "defaults.env wins over env, and both are for every step");

    let [extract, transform, done] = &workflow.steps[..] else { panic!("three steps") };
    assert_eq!(input(extract)["shell"], json!(["bash", "-eo", "pipefail", "-c"]));
    assert_eq!(
        (extract.retry.limit, extract.retry.delay),
        (5, Duration::from_secs(5)),
        "delay is of the defaults"
    );
    assert_eq!((extract.retry.backoff, extract.retry.jitter), (1.5, false));
    assert_eq!(extract.retry.outcomes, [Outcome::Failed]);
    assert_eq!((extract.pool.to_string(), extract.lost_limit()), ("gpu".to_owned(), 0));
    assert_eq!(extract.working_dir.as_deref(), Some("data"));
    assert_eq!((transform.timeout, transform.retry.limit), (Some(Duration::from_secs(1800)), 2));
    assert_eq!((transform.pool.to_string(), &transform.working_dir), ("batch".to_owned(), &None));
    assert_eq!(transform.with.uses().len(), 3);
    assert_eq!(done.uses, "noop");
    assert_eq!(workflow.graph.dependents(StepIndex(0)), [StepIndex(1), StepIndex(2)]);
}

#[test]
fn text_stays_as_it_was_written() {
    let workflow = one(
        "name: 007\ndescription: NO\nlabels: {a: 1.10, b: null, c: '', d: yes}\nsteps: [{name: a, run: true}]\n",
    );
    assert_eq!((workflow.id.as_str(), workflow.description.as_deref()), ("007", Some("NO")));
    let labels: Vec<&str> = workflow.labels.values().map(String::as_str).collect();
    assert_eq!(labels, ["1.10", "null", "", "yes"]);
    assert_eq!(input(&workflow.steps[0]), json!({"run": "true"}));
    assert_eq!(
        input(&step("run: |\n  a: b\n  echo \"${x}\" # no comment\n"))["run"],
        "a: b\necho \"${x}\" # no comment\n"
    );
}

#[test]
fn defaults_of_params_have_the_type_of_the_param() {
    let workflow = one(r#"
name: w
params:
  - {name: a, default: 1.10}
  - {name: b, type: int, default: -5}
  - {name: c, type: float, default: 2}
  - {name: d, type: bool, default: true}
  - {name: e, type: path, default: /tmp/x}
  - {name: f, type: json, default: {x: [1, "2", "${{ params.b }}"]}}
  - {name: g, type: int}
steps: [{name: a, run: x}]
"#);
    let defaults: Vec<_> =
        workflow.params.iter().map(|p| p.default.as_ref().and_then(Templated::to_literal)).collect();
    let some = |value| Some(value);
    assert_eq!(
        defaults,
        [
            some(json!("1.10")),
            some(json!(-5)),
            some(json!(2)),
            some(json!(true)),
            some(json!("/tmp/x")),
            None,
            None
        ]
    );
    assert!(workflow.params[5].default.is_some() && workflow.params[6].default.is_none());
}

#[test]
fn json_is_as_good_as_yaml() {
    let workflow = one(
        "{\n\t\"name\": \"w\",\n\t\"description\": \"\\ud83d\\ude00\",\n\t\"timeout\": \"30s\",\n\t\"steps\": [{\"name\": \"a\", \"run\": \"echo \\\"\\u00e9\\\"\\n\"}]\n}\n",
    );
    assert_eq!(workflow.timeout, Some(Duration::from_secs(30)));
    assert_eq!(workflow.description.as_deref(), Some("😀"));
    assert_eq!(input(&workflow.steps[0])["run"], "echo \"é\"\n");
}

#[test]
fn an_executor_gets_what_was_written() {
    let http = step("uses: http\nwith: {url: \"http://x/y\", expect: 204, body: plain text}");
    assert_eq!(input(&http), json!({"url": "http://x/y", "expect": [204], "body": "plain text"}));
    let shell = step("uses: shell\nwith: {run: echo, shell: [sh, -c]}");
    assert_eq!(input(&shell), json!({"run": "echo", "shell": ["sh", "-c"]}));
    assert_eq!(input(&step("uses: noop\nwith: {}")), json!({}));
}

#[test]
fn each_document_is_one_workflow_and_its_source_parses_to_the_same() {
    let source = "# first\nname: a\nsteps: [{name: x, run: é}]\n---\nname: b\nsteps:\n- {name: y, run: \"1\"}\n---\n# none\n";
    let parsed = definition::parse(source, "f.yaml").unwrap();
    assert_eq!(parsed.len(), 2);
    for parsed in parsed {
        let again = one(&parsed.source);
        assert_eq!(format!("{again:?}"), format!("{:?}", parsed.workflow));
    }
}

#[test]
fn the_examples_are_sound() {
    for (name, source, workflows) in [
        ("daily_sales", include_str!("../../../examples/daily_sales.yaml"), 1),
        ("crontab_like", include_str!("../../../examples/crontab_like.yaml"), 6),
        ("retry", include_str!("../../../examples/retry.yaml"), 1),
    ] {
        let parsed = definition::parse(source, name).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(parsed.len(), workflows, "{name}");
    }
}

#[test]
fn outputs_of_an_indirect_dependency_may_be_used() {
    let workflow = one("
name: w
steps:
  - {name: a, run: x}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [b]}
  - {name: d, run: x, depends_on: [c], env: {A: \"${{ outputs.a.x }}${{ outputs.c.y }}\"}}
");
    assert_eq!(workflow.steps[3].env[0].1.uses().count(), 2);
}

#[test]
fn a_byte_order_mark_before_any_document_is_passed_over() {
    let document = |name: &str| format!("name: {name}\nsteps: [{{name: a, run: x}}]\n");
    for between in ["\u{feff}---\n", "---\n\u{feff}", "...\n\u{feff}---\n"] {
        let source = format!("\u{feff}{}{between}{}", document("one"), document("two"));
        let parsed = definition::parse(&source, "f").unwrap();
        let names: Vec<&str> = parsed.iter().map(|parsed| parsed.workflow.id.as_str()).collect();
        assert_eq!(names, ["one", "two"], "{source:?}");
        assert!(parsed.iter().all(|parsed| !parsed.source.contains('\u{feff}')));
    }
    let json = "\u{feff}{\"name\": \"w\", \"steps\": [{\"name\": \"a\", \"run\": \"x\"}]}";
    assert_eq!(definition::parse_bytes(json.as_bytes(), "f").unwrap().len(), 1);
}

#[test]
fn a_file_in_another_encoding_is_told_by_its_name() {
    let utf16: Vec<u8> = "\u{feff}name: w\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&utf16[..], &utf16[2..]] {
        let problem = definition::parse_bytes(bytes, "f").unwrap_err().0.remove(0);
        assert_eq!(problem.message, "the file is UTF-16 text: expected UTF-8");
        assert_eq!((problem.code, problem.hint.as_deref()), ("invalid-utf8", Some("save the file as UTF-8")));
    }
}

#[test]
fn a_number_that_would_lose_digits_is_refused_where_it_is_a_number_and_kept_where_it_is_text() {
    let long = "12345678901234567890123";
    let with = |params: &str, body: &str| {
        let http = format!("{{name: a, uses: http, with: {{url: \"http://x/\", body: {body}}}}}");
        definition::parse(&format!("name: w\nparams: [{params}]\nsteps: [{http}]\n"), "f")
    };
    for (params, body) in [
        (format!("{{name: p, type: json, default: {{id: {long}}}}}"), "x".to_owned()),
        (String::new(), format!("{{ids: [1, {long}]}}")),
        (String::new(), format!("{{ids: [\"${{{{ run.id }}}}\", {long}]}}")),
    ] {
        let problem = with(&params, &body).unwrap_err().0.remove(0);
        assert_eq!(problem.code, "number-too-long", "{problem}");
        assert_eq!(problem.hint.as_deref(), Some("quote it: it is a text then"));
    }
    let text = format!("{{name: p, default: {long}}}, {{name: q, type: json, default: {{id: \"{long}\"}}}}");
    let workflow = with(&text, "1.10").unwrap().remove(0).workflow;
    assert_eq!(workflow.params[0].default.as_ref().unwrap().to_literal().unwrap(), long);
}
