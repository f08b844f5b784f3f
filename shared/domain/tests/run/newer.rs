//! What a newer version has written: it is told apart from what nobody has written, and what is not known of a record is
//! there when that is rewritten.

use std::sync::Arc;

use millrace_domain::message::{Control, Inbox, InboxBody, MessageError};
use millrace_domain::run::{Event, Run, Spec, StepState, advance};
use millrace_domain::task::{Task, TaskError};
use millrace_domain::{StepIndex, Timestamp};
use serde_json::{Value, json};

use crate::fleet::Order;

const RUN: &str = "0192f3c1-7a7b-7000-8000-0000000e0011";

fn task(v: u64, more: &str) -> String {
    format!(
        r#"{{"v":{v},"run":"{RUN}","workflow":"adhoc","step":"task","index":0,"attempt":1,"epoch":1,"seq":1,
        "pool":"default","priority":"P2","uses":"noop","scheduled_at":1,"dispatched_at":1{more}}}"#
    )
}

#[test]
fn a_message_that_says_its_version_and_kind_is_a_newer_versions_and_any_other_is_nobodys() {
    for (v, kind, text) in [
        (1, "grant", r#"{"v":1,"kind":"grant","slot":7}"#.to_owned()),
        (2, "cancel", format!(r#"{{"v":2,"kind":"cancel","run":"{RUN}","reason":"x"}}"#)),
        (70_000, "cancel", format!(r#"{{"kind":"cancel","run":"{RUN}","reason":"x","v":70000}}"#)),
        (1, "cancel", r#"{"v":1,"kind":"cancel","run":"ns/17","reason":"x"}"#.to_owned()),
        (1, "results", r#"{"v":1,"kind":"results","results":[{"outcome":"blocked"}]}"#.to_owned()),
        (1, "submit", r#"{"v":1,"kind":"submit","submission":{"run":"x","namespace":"n"}}"#.to_owned()),
    ] {
        let Err(MessageError::Unknown { v: found, kind: named, why }) = Inbox::read(text.as_bytes()) else {
            panic!("{text}")
        };
        assert_eq!((found, named.as_str(), why.is_empty()), (v, kind, false), "{text}");
    }
    for text in
        ["", "no json", "[]", "7", r#"{"v":1}"#, r#"{"kind":"cancel"}"#, r#"{"v":"1","kind":"cancel"}"#]
    {
        assert!(matches!(Inbox::read(text.as_bytes()), Err(MessageError::Unreadable(_))), "{text}");
        assert!(matches!(Control::read(text.as_bytes()), Err(MessageError::Unreadable(_))), "{text}");
    }
    let known = format!(r#"{{"v":1,"kind":"cancel","run":"{RUN}","reason":"x","by":{{"person":"y"}}}}"#);
    assert!(matches!(Inbox::read(known.as_bytes()), Ok(Inbox { body: InboxBody::Cancel { .. }, .. })));
    let drain = Control::read(br#"{"v":1,"kind":"drain","pool":"gpu"}"#);
    assert!(matches!(drain, Err(MessageError::Unknown { kind, .. }) if kind == "drain"));
    let later = Control::read(br#"{"v":2,"kind":"cancel","tasks":[]}"#);
    assert!(matches!(later, Err(MessageError::Unknown { v: 2, .. })));
}

#[test]
fn a_task_is_handed_on_word_for_word_though_its_version_cannot_be_read() {
    let newer = task(2, r#","gpus":[0.10,{"b":1,"a":2}]"#);
    let bundle = format!("[{}, {newer}]", task(1, ""));
    for (payload, version) in [(&newer, 2), (&bundle, 2), (&task(300, ""), 300)] {
        let error = Task::read(payload.as_bytes()).unwrap_err();
        assert_eq!((error.clone(), error.is_newer()), (TaskError::Version(version), true));
    }
    assert!(!Task::read(task(0, "").as_bytes()).unwrap_err().is_newer());
    let texts = Task::texts(bundle.as_bytes()).unwrap();
    let texts: Vec<_> = texts.iter().map(|(run, text)| (run.to_string(), text.get())).collect();
    assert_eq!(texts, [(RUN.to_owned(), task(1, "").as_str()), (RUN.to_owned(), newer.as_str())]);
    for none in ["{}", "7", "[7]", r#"{"v":2}"#, "no json"] {
        assert!(Task::texts(none.as_bytes()).is_err(), "{none}");
    }

    let raw = serde_json::value::RawValue::from_string(newer.clone()).unwrap();
    let moved = String::from_utf8(Inbox::orphan(&raw, false, true)).unwrap();
    assert!(moved.contains(&newer), "{moved}");
    let InboxBody::Orphan { task: read, ran: false, unread: true } =
        Inbox::read(moved.as_bytes()).unwrap().body
    else {
        panic!("{moved}")
    };
    assert_eq!((read.v, read.run.to_string().as_str()), (2, RUN));
}

#[test]
fn an_orphan_of_this_version_is_written_as_version_1_has_it() {
    let raw = serde_json::value::RawValue::from_string(task(1, "")).unwrap();
    for (ran, more) in [(false, ""), (true, r#","ran":true"#)] {
        let expected = format!(r#"{{"v":1,"kind":"orphan","task":{}{more}}}"#, task(1, ""));
        assert_eq!(String::from_utf8(Inbox::orphan(&raw, ran, false)).unwrap(), expected);
    }
}

#[test]
fn fields_of_a_task_that_are_not_known_are_named() {
    let fields = |text: &str| Task::unknown_fields(&serde_json::from_str(text).unwrap());
    assert_eq!(fields(&task(1, "")), Vec::<String>::new());
    assert_eq!(
        fields(&task(1, r#","env":{"A":"b"},"timeout_ms":5,"traceparent":null"#)),
        Vec::<String>::new()
    );
    assert_eq!(fields(&task(1, r#","shape":3,"gpus":[0]"#)), ["gpus", "shape"]);
}

#[test]
fn what_is_not_known_of_a_run_is_in_its_records_when_they_are_rewritten() {
    let order = Order::of("{name: daily, steps: [{name: a, run: x, retry: {limit: 3}}, {name: b, run: x}]}");
    let head =
        r#"{"state":"running","workflow":"daily","created_at":1,"origin":{"run":"y"},"priority":2.50}"#;
    let backoff =
        r#"{"s":"backoff","attempts":{"attempt":1,"retries":1,"grants":[7]},"until":5,"asks":"a person"}"#;
    let records = [(StepIndex(0).into(), backoff.to_owned())];
    let spec: Spec =
        serde_json::from_value(json!({"v": 1, "source": {"stored": {"workflow": "daily", "version": 1}},
        "scheduled_at": 1, "priority": "P2", "trigger": "api", "concurrency": "newest"}))
        .unwrap();
    let id = RUN.parse().unwrap();
    let mut run = Run::restore(id, order.workflow(), Arc::new(spec), head, &records, &[]).unwrap();

    advance(&mut run, Event::RetryDue { unit: StepIndex(0).into() }, Timestamp::from_millis(9)).unwrap();
    assert!(matches!(run.steps[0], StepState::Dispatched(attempts) if attempts.attempt == 2));
    let record: Value = serde_json::from_str(&run.unit_record(StepIndex(0).into()).unwrap()).unwrap();
    assert_eq!((&record["s"], &record["attempt"]), (&json!("dispatched"), &json!(2)));
    assert_eq!((&record["asks"], &record["attempts"]["grants"]), (&json!("a person"), &json!([7])));
    let stop = Event::Cancel { reason: "by hand".to_owned() };
    advance(&mut run, stop, Timestamp::from_millis(10)).unwrap();
    let record: Value = serde_json::from_str(&run.head_record()).unwrap();
    assert_eq!((&record["origin"], &record["priority"]), (&json!({"run": "y"}), &json!(2.5)));
    assert_eq!((&record["stopping"], &record["reason"]), (&json!("cancelled"), &json!("by hand")));

    let plain = r#"{"state":"running","workflow":"daily","created_at":1}"#;
    let spec = Arc::clone(&run.spec);
    let run = Run::restore(id, order.workflow(), spec, plain, &[], &[]).unwrap();
    assert_eq!((run.head_record().as_str(), run.head.carried.is_none()), (plain, true));
}
