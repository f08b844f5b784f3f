//! What a client may submit, and what it is told when it may not.
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its small functions too")]

use std::time::Duration;

use millrace_domain::submission::Submission;
use millrace_domain::{Priority, Timestamp};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_772_407_800_000);

fn parse(payload: &str) -> Result<Submission, (&'static str, String)> {
    let mut all = Submission::parse(payload.as_bytes()).map_err(|e| (e.code.as_str(), e.message))?;
    assert_eq!(all.len(), 1);
    all.remove(0).map_err(|e| (e.code.as_str(), e.message))
}

fn refused(payload: &str) -> (&'static str, String) {
    match parse(payload) {
        Err(error) => error,
        Ok(submission) => {
            let error = submission.to_workflow().expect_err(payload);
            (error.code.as_str(), error.message)
        }
    }
}

#[test]
fn a_command_becomes_a_workflow_of_one_step() {
    let submission = parse(
        r#"{"v":1,"run":"echo $x","pool":"gpu","priority":"P1","timeout":"30s","params":{"x":[1],"y":"z"},
            "env":{"A":"${{ b }}"},"retry":{"limit":3},"labels":{"team":"a"},"at_most_once":true,"working_dir":"/tmp",
            "idempotency_key":"k"}"#,
    )
    .unwrap();
    let workflow = submission.to_workflow().unwrap();
    assert_eq!((workflow.id.as_str(), workflow.priority), ("adhoc", Priority::P1));
    assert_eq!(workflow.labels["team"], "a");
    let step = &workflow.steps[0];
    assert_eq!((step.name.as_str(), step.uses, step.pool.as_str()), ("task", "shell", "gpu"));
    assert_eq!(step.with.to_literal(), Some(json!({"run": "echo $x"})));
    assert_eq!((step.timeout, step.retry.limit), (Some(Duration::from_secs(30)), 3));
    assert_eq!((step.lost_limit(), step.working_dir.as_deref()), (0, Some("/tmp")));
    assert!(step.env[0].1.is_literal(), "nothing in an ad-hoc task is an expression");
    assert_eq!(workflow.graph.len(), 1);
}

#[test]
fn the_input_of_an_executor_is_taken_word_for_word() {
    let submission =
        parse(r#"{"uses":"http","with":{"url":"https://x/${{ y }}","body":{"a":"${{ b"},"expect":201}}"#)
            .unwrap();
    let workflow = submission.to_workflow().unwrap();
    let with = json!({"url": "https://x/${{ y }}", "body": {"a": "${{ b"}, "expect": [201]});
    assert_eq!(workflow.steps[0].with.to_literal(), Some(with));
    assert_eq!(parse(r#"{"uses":"noop"}"#).unwrap().to_workflow().unwrap().steps[0].uses, "noop");
}

#[test]
fn a_run_of_a_stored_workflow_is_no_ad_hoc_task() {
    let submission =
        parse(r#"{"workflow":"daily_sales","params":{"date":"2026-01-01"},"priority":9}"#).unwrap();
    assert_eq!(submission.priority, Some(Priority::P0));
    assert_eq!(submission.to_workflow().unwrap_err().code.as_str(), "bad-field");
    let (code, message) = refused(r#"{"workflow":"w","pool":"gpu"}"#);
    assert_eq!(
        (code, message.as_str()),
        ("bad-field", "`pool`: belongs to ad-hoc tasks; a workflow's definition says it")
    );
}

#[test]
fn what_cannot_be_accepted_is_told_by_code_and_message() {
    for (payload, code, said) in [
        ("", "invalid-json", "not JSON"),
        ("{\"run\":", "invalid-json", "not JSON"),
        ("{\"run\":\"x\"} y", "invalid-json", "not JSON"),
        ("5", "bad-field", "expected an object"),
        (r#"{"rnu":"x"}"#, "unknown-field", "unknown field `rnu`: did you mean `run`?"),
        (r#"{"run":"x","zzz":1}"#, "unknown-field", "expected one of v, run, uses"),
        (r#"{"run":"x","run":"y"}"#, "bad-field", "duplicate field `run`"),
        (r#"{"run":5}"#, "bad-field", "`run`: invalid type: integer `5`, expected a string"),
        (r#"{"run":"x","timeout":30}"#, "bad-field", "`timeout`: a bare number has no unit; write \"30s\""),
        (r#"{"run":"x","timeout":"30"}"#, "bad-field", "`timeout`: a bare number has no unit; write 30s"),
        (r#"{"run":"x","timeout":"-5s"}"#, "bad-field", "must be positive"),
        (r#"{"run":"x","priority":11}"#, "bad-field", "`priority`: priority 11 is out of range"),
        (r#"{"run":"x","priority":true}"#, "bad-field", "`priority`: expected P0 to P3"),
        (r#"{"run":"x","pool":"No Pool"}"#, "bad-field", "`pool`: pool name"),
        (r#"{"run":"x","v":"1"}"#, "bad-field", "`v`: expected the number 1"),
        (r#"{"run":"\ud800"}"#, "invalid-json", "line 1, column"),
        (r#"{"run":"a\ud800b"}"#, "invalid-json", "half a character"),
        (r#"[{"run":"\udc00"}]"#, "invalid-json", "half a character"),
        (r#"{"command":"x"}"#, "unknown-field", "unknown field `command`: here it is called `run`"),
        (r#"{"run":"x","queue":"gpu"}"#, "unknown-field", "here it is called `pool`"),
        (r#"{"run":"x","v":2}"#, "unsupported-version", "expected \"v\": 1"),
        (r#"{"params":{}}"#, "empty", "expected one of run, uses, workflow and definition"),
        (r#"{"run":"x","workflow":"w"}"#, "ambiguous", "only one of run, uses, workflow and definition"),
        (r#"{"run":"x","uses":"http"}"#, "ambiguous", "only one of run, uses, workflow and definition"),
        (r#"{"run":"x","delay":"1s","at":"2030-01-01T00:00:00Z"}"#, "ambiguous", "only one of delay and at"),
        (r#"{"run":"x","with":{}}"#, "bad-field", "`with`: goes with `uses` only"),
        (
            r#"{"run":"x","definition":"name: w"}"#,
            "ambiguous",
            "only one of run, uses, workflow and definition",
        ),
        (r#"{"run":"x","base_dir":"/srv"}"#, "bad-field", "`base_dir`: goes with `definition` only"),
        (r#"{"definition":"name: w","pool":"gpu"}"#, "bad-field", "`pool`: belongs to ad-hoc tasks"),
        (r#"{"run":"  "}"#, "bad-field", "`run` is empty"),
        (r#"{"run":"echo ${{ params.a }}"}"#, "expression-in-run", "write \"$a\""),
        (r#"{"uses":"htp"}"#, "unknown-executor", "did you mean `http`?"),
        (r#"{"uses":"docker"}"#, "not-supported-yet", "`uses: docker` is not supported yet"),
        (r#"{"uses":"http","with":{"url":"x"}}"#, "bad-field", "must begin with http:// or https://"),
        (r#"{"uses":"http","with":{"url":"${{ x }}"}}"#, "bad-field", "must begin with http:// or https://"),
        (r#"{"uses":"http"}"#, "bad-field", "`http` needs `url`"),
        (
            r#"{"run":"x","retry":{"limit":101}}"#,
            "bad-field",
            "`retry`: `limit` must be a whole number from 0 to 100",
        ),
        (r#"{"run":"x","retry":{"limt":1}}"#, "bad-field", "did you mean `limit`?"),
        (r#"{"run":"x","params":{"a-b":1}}"#, "bad-field", "use _ instead of -"),
        (r#"{"run":"x","params":{"http_proxy":"y"}}"#, "bad-field", "*_proxy"),
        (r#"{"run":"x","env":{"MILLRACE_X":"y"}}"#, "bad-field", "reserved"),
        (r#"{"run":"x","env":{"A":"\u0000"}}"#, "bad-field", "NUL"),
        (r#"{"run":"x","env":{"A":5}}"#, "bad-field", "`env`: invalid type"),
        (
            r#"{"run":"x","idempotency_key":"é"}"#,
            "bad-field",
            "`idempotency_key`: the key \"\\xc3\\xa9\" is not printable ASCII",
        ),
        (r#"{"uses":"noop","working_dir":"/tmp"}"#, "bad-field", "goes with `run` only"),
    ] {
        let (found, message) = refused(payload);
        assert_eq!(found, code, "{payload}: {message}");
        assert!(message.contains(said), "{payload}: {message}");
    }
}

#[test]
fn an_array_is_judged_object_by_object() {
    let all = Submission::parse(br#" [{"run":"a"}, {"rnu":"b"}, {"run":"c","params":{"d":"]"}}]"#).unwrap();
    let codes: Vec<Option<&str>> =
        all.iter().map(|one| one.as_ref().err().map(|e| e.code.as_str())).collect();
    assert_eq!(codes, [None, Some("unknown-field"), None]);
    assert_eq!(Submission::parse(b"[]").unwrap_err().code.as_str(), "empty");
    assert_eq!(Submission::parse(b"[{\"run\":\"a\"}").unwrap_err().code.as_str(), "invalid-json");
    assert_eq!(Submission::parse(b"[{\"run\":\"a\"}] x").unwrap_err().code.as_str(), "invalid-json");
}

#[test]
fn sizes_are_bounded() {
    let many = |count: usize| format!("[{}]", vec![r#"{"run":"a"}"#; count].join(","));
    assert_eq!(Submission::parse(many(10_000).as_bytes()).unwrap().len(), 10_000);
    assert_eq!(Submission::parse(many(10_001).as_bytes()).unwrap_err().code.as_str(), "too-many");
    let long = format!(r#"{{"uses":"noop","params":{{"a":"{}"}}}}"#, "x".repeat(1024 * 1024));
    assert_eq!(refused(&long).0, "too-large");
    let all = Submission::parse(format!("[{long},{{\"run\":\"a\"}}]").as_bytes()).unwrap();
    assert_eq!(all[0].as_ref().unwrap_err().code.as_str(), "too-large");
    assert!(all[1].is_ok());
    assert_eq!(Submission::parse(&vec![b' '; 17 * 1024 * 1024]).unwrap_err().code.as_str(), "too-large");
    let definition = format!(r#"{{"definition":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
    assert!(parse(&definition).is_ok(), "a definition is bounded by what a file may hold");
    let deep = format!(r#"{{"uses":"http","with":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_eq!(refused(&deep).0, "invalid-json");
}

#[test]
fn a_start_is_a_delay_from_now_or_an_instant() {
    let start = |field: &str| parse(&format!(r#"{{"run":"x"{field}}}"#)).unwrap().start_at(NOW);
    assert_eq!(start(""), Ok(None));
    assert_eq!(start(r#","delay":"10m""#), Ok(Some(NOW + Duration::from_secs(600))));
    assert_eq!(start(r#","at":"2026-03-02T07:30:00+08:00""#), Ok(Some(NOW)));
    assert!(start(r#","at":"2026-03-02T07:30:00""#).unwrap_err().message.contains("RFC 3339 with an offset"));
    assert!(start(r#","at":"2999-01-01T00:00:00Z""#).unwrap_err().message.contains("within ten years"));
    for far in ["9999-12-31", "9999-12-31T23:59:59Z"] {
        let error = start(&format!(r#","at":"{far}""#)).unwrap_err();
        assert!(error.message.contains("within ten years"), "{error}");
    }
    assert!(start(r#","delay":"soon""#).unwrap_err().message.contains("is not a duration"));
}

#[test]
fn a_submission_is_written_as_it_was_read() {
    let text = r#"{"run":"x","params":{"a":1},"priority":"P1","idempotency_key":"k"}"#;
    assert_eq!(serde_json::to_string(&parse(text).unwrap()).unwrap(), text);
    let value: Value =
        serde_json::to_value(parse(r#"{"v":1,"workflow":"w","priority":6}"#).unwrap()).unwrap();
    assert_eq!(value, json!({"v": 1, "workflow": "w", "priority": "P1"}));
}

#[test]
fn a_number_that_would_lose_digits_is_refused_by_its_place() {
    for (body, place) in [
        (r#"{"run":"x","params":{"id":12345678901234567890123}}"#, "`params.id`"),
        (
            r#"{"uses":"http","with":{"url":"http://x/","body":{"ids":[1,-12345678901234567890123]}}}"#,
            "`with.body.ids[1]`",
        ),
        (r#"{"workflow":"w","params":{"price":12345678901234567.89}}"#, "`params.price`"),
    ] {
        let error = Submission::parse(body.as_bytes()).unwrap().remove(0).unwrap_err();
        assert_eq!(error.code.as_str(), "bad-field");
        assert!(error.message.starts_with(&format!("{place}: ")), "{error}");
        assert!(
            error.message.contains("would lose digits: a number has 64 bits here; write it as a text"),
            "{error}"
        );
    }
    let kept =
        r#"{"run":"x","params":{"id":18446744073709551615,"text":"12345678901234567890123","rate":0.1}}"#;
    let submission = Submission::parse(kept.as_bytes()).unwrap().remove(0).unwrap();
    assert_eq!(submission.params["id"].to_string(), "18446744073709551615");
    assert_eq!(submission.params["text"], "12345678901234567890123");
}

#[test]
fn an_empty_key_is_none_and_a_long_one_is_refused() {
    assert_eq!(parse(r#"{"run":"x","idempotency_key":""}"#).unwrap().idempotency_key, None);
    let with = |length| format!(r#"{{"run":"x","idempotency_key":"{}"}}"#, "k".repeat(length));
    assert!(parse(&with(256)).unwrap().idempotency_key.is_some());
    assert!(parse(&with(257)).unwrap_err().1.contains("at most 256"));
}
