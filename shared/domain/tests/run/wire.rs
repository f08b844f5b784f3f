//! What version 1 wrote, on the wire and in the store, word for word: it must be read for ever. A change that
//! breaks one of these needs a new version, not a new text here.

use std::fmt::Debug;
use std::sync::Arc;

use millrace_domain::message::{Control, ControlBody, Inbox, InboxBody, Reply, ReplyError};
use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Attempts, Head, Run, RunState, Source, Spec, StepState, Trigger};
use millrace_domain::submission::Submission;
use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{Code, Epoch, Outcome, PartitionId, Priority, Seq, StepIndex, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fleet::Order;

const RUN: &str = "0192f3c1-7a7b-7000-8000-0000000e0011";

const TASK: &str = r#"{"v":1,"run":"0192f3c1-7a7b-7000-8000-0000000e0011","workflow":"daily_sales","step":"extract",
    "index":0,"attempt":2,"epoch":1772407800000123,"seq":41,"pool":"default","priority":"P1","uses":"shell",
    "with":{"run":"echo hi"},"env":{"date":"2026-03-01"},"working_dir":"/srv","timeout_ms":3600000,
    "scheduled_at":1772407800000,"dispatched_at":1772407800123,"at_most_once":true,
    "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#;

const LEAST_TASK: &str = r#"{"v":1,"run":"0192f3c1-7a7b-7000-8000-0000000e0011","workflow":"adhoc","step":"task",
    "index":0,"attempt":1,"epoch":1,"seq":1,"pool":"default","priority":"P2","uses":"noop",
    "scheduled_at":1772407800000,"dispatched_at":1772407800000}"#;

const RESULT: &str = r#"{"run":"0192f3c1-7a7b-7000-8000-0000000e0011","step":3,"attempt":1,"outcome":"failed",
    "started_at":1772407800200,"ended_at":1772407801200,"code":7,"reason":"exit code 7",
    "outputs":{"rows":3,"share":0.5,"all":[1,null]},"worker":"host-1"}"#;

const HEAD: &str = r#"{"state":"timed_out","workflow":"daily_sales","version":4,"created_at":1772407800000,
    "start_at":1772407860000,"started_at":1772407860001,"ended_at":1772407960000,"reason":"it took too long",
    "stopping":"timed_out","stopping_since":1772407950000,"verdict":"failed","labels":{"team":"finance"},
    "digest":"9f86d081884c7d65"}"#;

const SPEC: &str = r#"{"v":1,"source":{"stored":{"workflow":"daily_sales","version":4}},"params":{"date":"2026-03-01"},
    "scheduled_at":1772407800000,"priority":"P1","trigger":"schedule","traceparent":"00-a-b-01","base_dir":"/srv"}"#;

const BACKOFF: &str = r#"{"s":"backoff","attempts":{"attempt":2,"retries":1,"lost":1,"dispatched_at":1772407800000},
    "until":1772407805000,"reason":"exit code 1"}"#;

const DISPATCHED: &str =
    r#"{"s":"dispatched","attempt":2,"retries":1,"lost":0,"dispatched_at":1772407800000}"#;

const ENDED: &str = r#"{"s":"ended","outcome":"succeeded","attempts":{"attempt":1,"retries":0,"lost":0,
    "dispatched_at":1772407800000},"started_at":1772407800200,"ended_at":1772407801200,"code":0,
    "outputs":{"rows":3},"worker":"host-1"}"#;

/// Reads `text`, and asserts that it is written as it was.
fn read<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let value: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let old: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), old, "written otherwise than it was read");
    value
}

/// What `text` is with a field that this version does not know.
fn with_unknown_fields(text: &str) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.insert("from_the_future".to_owned(), json!({"deep": [1, "two"]}));
    value.to_string()
}

fn passes_over<T: DeserializeOwned + PartialEq + Debug>(text: &str) {
    let known: T = serde_json::from_str(text).unwrap();
    let future: T = serde_json::from_str(&with_unknown_fields(text)).unwrap();
    assert_eq!(known, future);
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_task_of_version_1_is_read() {
    let task: Task = read(TASK);
    assert_eq!((task.v, task.run.to_string().as_str(), task.run.partition().0), (1, RUN, 17));
    assert_eq!(
        (task.workflow.as_str(), task.step.as_str(), task.index, task.attempt),
        ("daily_sales", "extract", StepIndex(0), 2)
    );
    assert_eq!((task.epoch.0, task.seq.0, task.priority), (1_772_407_800_000_123, 41, Priority::P1));
    assert_eq!((task.with["run"].as_str(), task.env["date"].as_str()), (Some("echo hi"), "2026-03-01"));
    assert_eq!((task.timeout_ms, task.at_most_once), (Some(3_600_000), true));
    assert_eq!((task.scheduled_at, task.dispatched_at), (at(1_772_407_800_000), at(1_772_407_800_123)));
    let least: Task = read(LEAST_TASK);
    assert_eq!(
        (least.with, least.env.len(), least.timeout_ms, least.at_most_once),
        (Value::Null, 0, None, false)
    );
    passes_over::<Task>(TASK);
}

#[test]
fn a_result_of_version_1_is_read() {
    let result: TaskResult = read(RESULT);
    assert_eq!((result.step, result.attempt, result.outcome), (StepIndex(3), 1, Outcome::Failed));
    assert_eq!((result.started_at, result.ended_at), (at(1_772_407_800_200), at(1_772_407_801_200)));
    assert_eq!(
        (result.code, result.reason.as_deref(), result.worker.as_str()),
        (Some(7), Some("exit code 7"), "host-1")
    );
    assert_eq!(Value::Object(result.outputs), json!({"rows": 3, "share": 0.5, "all": [1, null]}));
    let least = r#"{"run":"0192f3c1-7a7b-7000-8000-0000000e0011","step":0,"attempt":1,"outcome":"succeeded",
        "started_at":1,"ended_at":2}"#;
    assert_eq!(read::<TaskResult>(least).outputs.len(), 0);
    passes_over::<TaskResult>(RESULT);
}

#[test]
fn every_outcome_of_version_1_is_read() {
    let words = ["succeeded", "failed", "timed_out", "cancelled", "lost", "skipped"];
    for word in words {
        assert_eq!(read::<Outcome>(&format!("{word:?}")).as_str(), word);
    }
    assert_eq!(serde_json::from_str::<Outcome>("\"success\"").unwrap(), Outcome::Succeeded);
}

#[test]
fn every_message_to_a_partition_of_version_1_is_read() {
    let body = |text: &str| {
        let inbox: Inbox = read(text);
        assert_eq!(inbox.v, 1);
        assert_eq!(Inbox::read(text.as_bytes()).as_ref(), Ok(&inbox), "on both ways");
        inbox.body
    };
    let results = body(&format!(r#"{{"v":1,"kind":"results","results":[{RESULT}]}}"#));
    assert!(matches!(results, InboxBody::Results { results } if results[0].code == Some(7)));
    let submit = body(r#"{"v":1,"kind":"submit","submission":{"v":1,"run":"echo hi"}}"#);
    assert!(
        matches!(submit, InboxBody::Submit { submission } if submission.run.as_deref() == Some("echo hi"))
    );
    let cancel =
        body(r#"{"v":1,"kind":"cancel","run":"0192f3c1-7a7b-7000-8000-0000000e0011","reason":"by hand"}"#);
    assert!(
        matches!(cancel, InboxBody::Cancel { run, reason } if run.to_string() == RUN && reason == "by hand")
    );
    let retry = body(
        r#"{"v":1,"kind":"retry","run":"0192f3c1-7a7b-7000-8000-0000000e0011","id":"k1","by":"ann","why":"mended"}"#,
    );
    assert!(matches!(retry, InboxBody::Retry { run, id, .. } if run.to_string() == RUN && id == "k1"));
    assert!(matches!(body(r#"{"v":1,"kind":"make_link_secret"}"#), InboxBody::MakeLinkSecret));
    let held = body(
        r#"{"v":1,"kind":"held","task":{"run":"0192f3c1-7a7b-7000-8000-0000000e0011","step":2,"attempt":1},
        "session":"6b1f4b1e-0000-4000-8000-000000000001"}"#,
    );
    assert!(
        matches!(held, InboxBody::Held { task, .. } if task.unit == StepIndex(2).into() && task.attempt == 1)
    );
    let apply = body(r#"{"v":1,"kind":"apply","source":"name: w","base_dir":"/srv"}"#);
    assert!(matches!(apply, InboxBody::Apply { source, base_dir: Some(_) } if source == "name: w"));
    let apply = body(r#"{"v":1,"kind":"apply","source":"name: w"}"#);
    assert!(matches!(apply, InboxBody::Apply { base_dir: None, .. }));
    let pause = body(r#"{"v":1,"kind":"pause","workflow":"w","paused":true}"#);
    assert!(matches!(pause, InboxBody::Pause { workflow, paused: true } if workflow.as_str() == "w"));
    let delete = body(r#"{"v":1,"kind":"delete","workflow":"w"}"#);
    assert!(matches!(delete, InboxBody::Delete { workflow } if workflow.as_str() == "w"));
    let letter = body(
        r#"{"v":1,"kind":"letter","from":3,"epoch":1772407800000123,"seq":41,"n":2,"body":{"kind":"cancel",
        "run":"0192f3c1-7a7b-7000-8000-0000000e0011","reason":"by hand"}}"#,
    );
    let InboxBody::Letter { from: PartitionId(3), epoch, seq: Seq(41), n: 2, body } = letter else {
        panic!("{letter:?}")
    };
    assert_eq!(epoch, Epoch(1_772_407_800_000_123));
    assert!(matches!(*body, InboxBody::Cancel { run, .. } if run.to_string() == RUN));
}

#[test]
fn every_answer_of_version_1_is_read() {
    let run: Reply = read(r#"{"run_id":"0192f3c1-7a7b-7000-8000-0000000e0011"}"#);
    assert_eq!(run, Reply::Run { run_id: RUN.parse().unwrap(), duplicate: false });
    let known: Reply = read(r#"{"run_id":"0192f3c1-7a7b-7000-8000-0000000e0011","duplicate":true}"#);
    assert_eq!(known, Reply::Run { run_id: RUN.parse().unwrap(), duplicate: true });
    let refused = Reply::Error { error: ReplyError::new(Code::TooLarge, "expected less") };
    let error: Reply = read(r#"{"error":{"code":"too-large","message":"expected less"}}"#);
    assert_eq!(error, refused);
    let newer = r#"{"error":{"code":"of-tomorrow","message":"expected more"}}"#;
    let told: Reply = read(newer);
    assert_eq!(
        serde_json::to_string(&told).unwrap(),
        newer,
        "a code that is not known yet goes on as it came"
    );
    let many: Reply = read(
        r#"[{"run_id":"0192f3c1-7a7b-7000-8000-0000000e0011"},{"error":{"code":"too-large","message":"expected less"}}]"#,
    );
    assert_eq!(many, Reply::Many(vec![run, refused]));
    let workflow: Reply = read(r#"{"workflow":"daily_sales","version":4,"unchanged":true}"#);
    assert!(matches!(workflow, Reply::Workflow { version: 4, unchanged: true, .. }));
}

#[test]
fn a_message_to_the_workers_of_version_1_is_read() {
    let control: Control = read(
        r#"{"v":1,"kind":"cancel","tasks":[{"run":"0192f3c1-7a7b-7000-8000-0000000e0011","step":2,"attempt":3}]}"#,
    );
    let ControlBody::Cancel { tasks } = control.body;
    assert_eq!((control.v, tasks.len(), tasks[0].attempt), (1, 1, 3));
}

#[test]
fn a_submission_of_version_1_is_read() {
    let all = r#"{"v":1,"run":"echo hi","params":{"n":5},"env":{"A":"b"},"pool":"gpu","priority":"P0","timeout":"30s",
        "retry":{"limit":2},"delay":"10m","at_most_once":true,"working_dir":"/srv","labels":{"team":"x"},
        "idempotency_key":"k","traceparent":"00-a-b-01"}"#;
    let submission: Submission = read(all);
    assert_eq!(
        (submission.v, submission.run.as_deref(), &submission.params["n"]),
        (Some(1), Some("echo hi"), &json!(5))
    );
    assert_eq!((submission.priority, submission.timeout.as_deref()), (Some(Priority::P0), Some("30s")));
    assert_eq!((submission.delay.as_deref(), submission.at_most_once), (Some("10m"), true));
    assert_eq!(Submission::parse(all.as_bytes()).unwrap(), [Ok(submission)]);
    let workflow: Submission =
        read(r#"{"workflow":"daily_sales","params":{"date":"2026-03-01"},"at":"2026-03-01T08:00:00+08:00"}"#);
    assert_eq!(workflow.workflow.map(String::from).as_deref(), Some("daily_sales"));
    let uses: Submission =
        read(r#"{"v":1,"uses":"http","with":{"method":"GET","url":"https://example.com"}}"#);
    assert_eq!(uses.with, Some(json!({"method": "GET", "url": "https://example.com"})));
    let inline: Submission =
        read(r#"{"definition":"name: w\nsteps: [{name: a, run: x}]\n","base_dir":"/srv"}"#);
    assert!(inline.definition.is_some() && inline.base_dir.is_some());
    let number: Submission = serde_json::from_str(r#"{"run":"x","priority":9}"#).unwrap();
    assert_eq!(number.priority, Some(Priority::P0));
}

#[test]
fn a_spec_of_version_1_is_read() {
    let spec: Spec = read(SPEC);
    assert!(
        matches!(&spec.source, Source::Stored { workflow, version: 4 } if workflow.as_str() == "daily_sales")
    );
    assert_eq!((spec.v, spec.trigger, spec.priority), (1, Trigger::Schedule, Priority::P1));
    assert_eq!(
        (spec.scheduled_at, spec.params["date"].as_str()),
        (at(1_772_407_800_000), Some("2026-03-01"))
    );
    let adhoc: Spec = read(
        r#"{"v":1,"source":{"adhoc":{"run":"echo hi"}},"scheduled_at":1,"priority":"P2","trigger":"message"}"#,
    );
    assert!(
        matches!(adhoc.source, Source::Adhoc(submission) if submission.run.as_deref() == Some("echo hi"))
    );
    let inline: Spec =
        read(r#"{"v":1,"source":{"inline":"name: w"},"scheduled_at":1,"priority":"P2","trigger":"api"}"#);
    assert_eq!((inline.source, inline.trigger), (Source::Inline("name: w".to_owned()), Trigger::Api));
    passes_over::<Spec>(SPEC);
}

#[test]
fn a_head_of_version_1_is_read() {
    let head: Head = read(HEAD);
    assert_eq!(
        (head.state, head.workflow.as_str(), head.version),
        (RunState::TimedOut, "daily_sales", Some(4))
    );
    assert_eq!((head.stopping, head.verdict), (Some(Outcome::TimedOut), Some(Outcome::Failed)));
    assert_eq!((head.created_at, head.stopping_since), (at(1_772_407_800_000), Some(at(1_772_407_950_000))));
    assert_eq!((head.labels["team"].as_str(), head.digest.as_deref()), ("finance", Some("9f86d081884c7d65")));
    let least: Head = read(r#"{"state":"waiting","workflow":"adhoc","created_at":1}"#);
    assert_eq!((least.state, least.labels.len(), least.stopping), (RunState::Waiting, 0, None));
    for word in ["waiting", "running", "succeeded", "failed", "timed_out", "cancelled"] {
        assert_eq!(read::<RunState>(&format!("{word:?}")).as_str(), word);
    }
    // Later versions have written these too.
    assert_eq!(read::<RunState>("\"skipped\""), RunState::Skipped);
    for state in RunState::ALL {
        assert_eq!(read::<RunState>(&format!("{:?}", state.as_str())), state);
    }
    passes_over::<Head>(HEAD);
}

#[test]
fn records_of_steps_of_version_1_are_read() {
    let attempts = Attempts {
        attempt: 2,
        retries: 1,
        lost: 0,
        dispatched_at: at(1_772_407_800_000),
        ..Attempts::default()
    };
    assert_eq!(read::<StepRecord>(DISPATCHED), StepRecord::Dispatched(attempts));
    let StepRecord::Backoff { attempts, until, reason } = read(BACKOFF) else { panic!("no backoff") };
    assert_eq!((attempts.attempt, attempts.retries, attempts.lost), (2, 1, 1));
    assert_eq!((until, reason.as_deref()), (at(1_772_407_805_000), Some("exit code 1")));
    let StepRecord::Ended(end) = read(ENDED) else { panic!("not ended") };
    assert_eq!((end.outcome, end.code, end.worker.as_str()), (Outcome::Succeeded, Some(0), "host-1"));
    assert_eq!(end.outputs["rows"], json!(3));
    let skipped = r#"{"s":"ended","outcome":"skipped","attempts":{"attempt":0},"ended_at":5}"#;
    let StepRecord::Ended(end) = serde_json::from_str(skipped).unwrap() else { panic!("not ended") };
    assert_eq!((end.attempts, end.ended_at), (Attempts::default(), at(5)));
    for record in [DISPATCHED, BACKOFF, ENDED] {
        passes_over::<StepRecord>(record);
    }
}

#[test]
fn a_whole_run_that_version_1_stored_comes_back() {
    let order = Order::of(
        "{name: daily_sales, steps: [{name: a, run: x}, {name: b, run: x, depends_on: [a]}, {name: c, run: x}, {name: d, run: x, depends_on: [b, c]}, {name: e, run: x}]}",
    );
    let head = r#"{"state":"running","workflow":"daily_sales","created_at":1,"started_at":1}"#;
    let records = [
        (StepIndex(0).into(), ENDED.to_owned()),
        (StepIndex(2).into(), with_unknown_fields(BACKOFF)),
        (StepIndex(4).into(), DISPATCHED.to_owned()),
    ];
    // A first attempt has no record: what the store knows of the attempt says it all.
    let attempts = [(StepIndex(1).into(), 1, at(7)), (StepIndex(4).into(), 2, at(8))];
    let workflow = order.workflow();
    let spec: Spec = serde_json::from_str(SPEC).unwrap();
    let id = RUN.parse().unwrap();
    let run =
        Run::restore(id, Arc::clone(&workflow), Arc::new(spec.clone()), head, &records, &attempts).unwrap();
    assert_eq!((run.open(), run.tally(StepIndex(1)).open, run.tally(StepIndex(3)).open), (4, 0, 2));
    assert_eq!(
        (run.current_attempt(StepIndex(1).into()), run.current_attempt(StepIndex(4).into())),
        (Some(1), Some(2))
    );
    assert!(
        matches!(&run.steps[2], StepState::Backoff { until, .. } if until.as_millis() == 1_772_407_805_000)
    );
    assert_eq!(run.steps[3], StepState::Waiting);

    let stray = [(StepIndex(9).into(), ENDED.to_owned())];
    let error =
        Run::restore(id, Arc::clone(&workflow), Arc::new(spec.clone()), head, &stray, &[]).unwrap_err();
    assert!(error.to_string().contains("the definition has no step 9"), "{error}");
    let error = Run::restore(id, workflow, Arc::new(spec), "{}", &[], &[]).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("the stored head of run {RUN} cannot be read: ")),
        "{error}"
    );
}
