//! What version 0.1 stored and sent is read, all of it, and says what it said. The bytes are those that it left; how
//! they were recorded is told in `tests/compatibility`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::message::{Control, ControlBody, Inbox, InboxBody, Reply};
use millrace_domain::run::{Run, RunState, Source, Spec, StepState};
use millrace_domain::task::Task;
use millrace_domain::{Outcome, PartitionId, RunId, Timestamp, WorkflowId};
use serde_json::{Map, Value};

fn recorded(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/compatibility/v0_1");
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// The runs that were stored: the name of the key, and the fields.
fn stored_runs(keys: &Value) -> Vec<(RunId, &Map<String, Value>)> {
    let runs = keys.as_object().unwrap().iter().filter_map(|(key, value)| {
        let (_, run) = key.split_once(":run:")?;
        Some((run.parse().unwrap(), value["hash"].as_object().unwrap()))
    });
    runs.collect()
}

fn definition_of(keys: &Value, spec: &Spec) -> Workflow {
    match &spec.source {
        Source::Adhoc(submission) => submission.to_workflow().unwrap(),
        Source::Inline(source) => definition::parse_stored(source).unwrap(),
        Source::Stored { workflow, version } => {
            let home = PartitionId::home_of(workflow, 4);
            let stored = &keys[format!("millrace:{{{home}}}:workflow:{workflow}")]["hash"];
            definition::parse_stored(text(&stored[format!("v{version}")])).unwrap()
        }
    }
}

fn restored(keys: &Value, id: RunId, fields: &Map<String, Value>) -> Run {
    let spec: Spec = serde_json::from_str(text(&fields["def"])).unwrap();
    let workflow = definition_of(keys, &spec);
    let (mut steps, mut attempts) = (Vec::new(), Vec::new());
    for (field, value) in fields {
        if let Some(step) = field.strip_prefix('s') {
            steps.push((step.parse().unwrap(), text(value).to_owned()));
        } else if let Some(task) = field.strip_prefix('t') {
            let (step, attempt) = task.split_once(':').unwrap();
            attempts.push((step.parse().unwrap(), attempt.parse().unwrap(), Timestamp::from_millis(1)));
        }
    }
    let run = Run::restore(id, Arc::new(workflow), Arc::new(spec), text(&fields["head"]), &steps, &attempts);
    run.unwrap_or_else(|error| panic!("{id}: {error}"))
}

#[test]
fn every_run_is_restored_as_the_api_of_0_1_showed_it() {
    let (keys, about) = (recorded("keys.json"), recorded("fleet.json"));
    let (mut states, mut shown) = (BTreeSet::new(), 0);
    for (id, fields) in stored_runs(&keys) {
        let run = restored(&keys, id, fields);
        states.insert(run.head.state.as_str());
        // What is written again is what was read.
        assert_eq!(
            serde_json::from_str::<Value>(&run.head_record()).unwrap(),
            serde_json::from_str::<Value>(text(&fields["head"])).unwrap()
        );
        let answer = &about["answers"][format!("/api/v1/runs/{id}")];
        if answer.is_null() {
            continue;
        }
        shown += 1;
        assert_eq!(answer["state"], run.head.state.as_str(), "{id}");
        assert_eq!(answer["workflow"], run.head.workflow.as_str(), "{id}");
        assert_eq!(answer["labels"].as_object().map_or(0, Map::len), run.head.labels.len(), "{id}");
        assert_eq!(answer["priority"], run.spec.priority.to_string(), "{id}");
        for (step, state) in answer["steps"].as_array().unwrap().iter().zip(&run.steps) {
            let (word, attempt) = match state {
                StepState::Waiting => ("waiting".to_owned(), 0),
                StepState::Backoff { attempts, .. } => ("waiting".to_owned(), attempts.attempt),
                StepState::Fanned(_)
                | StepState::Asking { .. }
                | StepState::Locking { .. }
                | StepState::Child { .. } => {
                    panic!("version 0.1 knew none of it")
                }
                StepState::Dispatched(attempts) => (text(&step["state"]).to_owned(), attempts.attempt),
                StepState::Ended(end) => {
                    let outputs = step.get("outputs").cloned().unwrap_or_else(|| Value::Object(Map::new()));
                    assert_eq!(outputs, Value::Object(end.outputs.clone()), "{id}");
                    assert_eq!(step["code"], serde_json::json!(end.code), "{id}");
                    (end.outcome.to_string(), end.attempts.attempt)
                }
            };
            assert_eq!((&step["state"], &step["attempt"]), (&word.into(), &attempt.into()), "{id}");
        }
    }
    assert!(shown > 20, "{shown}");
    let all = [
        RunState::Waiting,
        RunState::Running,
        RunState::Succeeded,
        RunState::Failed,
        RunState::TimedOut,
        RunState::Cancelled,
    ];
    assert_eq!(states, all.map(RunState::as_str).into());
}

#[test]
fn every_definition_that_was_stored_is_a_workflow() {
    let keys = recorded("keys.json");
    let mut versions = 0;
    for (key, value) in keys.as_object().unwrap() {
        let Some((_, name)) = key.split_once(":workflow:") else { continue };
        for (field, source) in value["hash"].as_object().unwrap() {
            if field.starts_with('v') {
                let workflow =
                    definition::parse_stored(text(source)).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(workflow.id.as_str(), name);
                versions += 1;
            }
        }
    }
    assert!(versions > 10, "{versions}");
}

#[test]
fn every_message_is_read_and_says_what_it_said() {
    let mut kinds = BTreeSet::new();
    for message in recorded("messages.json").as_array().unwrap() {
        let (exchange, key, body) =
            (text(&message["exchange"]), text(&message["key"]), text(&message["body"]));
        let kind = match (exchange, key.split('.').next().unwrap()) {
            ("", _) => reply(body),
            (_, "") => control(body),
            (_, "inbox") => inbox(body),
            (_, "tasks") => tasks(body),
            // What clients sent, refused or not, is no message of ours.
            (_, "submit" | "rejected") => continue,
            other => panic!("a message to {other:?}"),
        };
        kinds.insert(kind);
    }
    let all = [
        "reply error",
        "reply run",
        "reply many",
        "reply workflow",
        "control cancel",
        "results",
        "submit",
        "cancel",
        "held",
        "orphan",
        "apply",
        "pause",
        "delete",
        "task",
        "bundle",
    ];
    assert_eq!(kinds, all.into());
}

/// Is what would be written the same as what was read?
fn same(body: &str, read: impl serde::Serialize) {
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), body);
}

fn reply(body: &str) -> &'static str {
    let reply: Reply = serde_json::from_str(body).unwrap();
    same(body, &reply);
    match reply {
        Reply::Error { error } => {
            assert!(error.code.known().is_some() && !error.message.is_empty());
            "reply error"
        }
        Reply::Run { .. } => "reply run",
        Reply::Many(all) => {
            assert!(!all.is_empty());
            "reply many"
        }
        Reply::Workflow { version, .. } => {
            assert!(version > 0);
            "reply workflow"
        }
    }
}

fn control(body: &str) -> &'static str {
    let control: Control = serde_json::from_str(body).unwrap();
    same(body, &control);
    let ControlBody::Cancel { tasks } = control.body;
    assert!(!tasks.is_empty());
    "control cancel"
}

fn inbox(body: &str) -> &'static str {
    let inbox: Inbox = serde_json::from_str(body).unwrap_or_else(|error| panic!("{body}: {error}"));
    same(body, &inbox);
    match inbox.body {
        InboxBody::Results { results } => {
            assert!(results.iter().all(|result| result.attempt > 0 && result.ended_at >= result.started_at));
            "results"
        }
        InboxBody::Submit { submission } => {
            assert!(submission.idempotency_key.is_some());
            "submit"
        }
        InboxBody::Cancel { reason, .. } => {
            assert!(!reason.is_empty());
            "cancel"
        }
        InboxBody::Held { task, .. } => {
            assert_eq!(task.attempt, 1);
            "held"
        }
        InboxBody::Orphan { task, ran, unread } => {
            assert!(!ran && !unread && task.workflow == WorkflowId::adhoc());
            "orphan"
        }
        InboxBody::Apply { source, .. } => {
            // Those that are refused are handed on, too, since the home decides.
            assert!(!source.is_empty());
            "apply"
        }
        InboxBody::Letter { .. }
        | InboxBody::Act { .. }
        | InboxBody::Retry { .. }
        | InboxBody::MakeLinkSecret
        | InboxBody::RunAct { .. }
        | InboxBody::StartChild { .. }
        | InboxBody::StopChild { .. }
        | InboxBody::ChildEnded { .. }
        | InboxBody::AskLocks { .. }
        | InboxBody::ReleaseLocks { .. }
        | InboxBody::RateStarted { .. }
        | InboxBody::TakeLocks { .. }
        | InboxBody::LocksGranted { .. }
        | InboxBody::LocksRefused { .. }
        | InboxBody::SlotGranted { .. }
        | InboxBody::SlotRefused { .. }
        | InboxBody::Displace { .. }
        | InboxBody::SlotTaken { .. }
        | InboxBody::LocksTaken { .. } => panic!("0.1 sends none: {body}"),
        InboxBody::Pause { .. } => "pause",
        InboxBody::Delete { workflow } => {
            assert_eq!(workflow.as_str(), "gone");
            "delete"
        }
    }
}

fn tasks(body: &str) -> &'static str {
    let tasks = Task::read(body.as_bytes()).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&Task::message(&tasks)).unwrap(),
        serde_json::from_str::<Value>(body).unwrap()
    );
    if tasks.len() > 1 { "bundle" } else { "task" }
}

#[test]
fn every_outcome_of_a_step_was_stored_and_is_read() {
    let keys = recorded("keys.json");
    let mut outcomes = BTreeSet::new();
    for (id, fields) in stored_runs(&keys) {
        for step in restored(&keys, id, fields).steps {
            if let StepState::Ended(end) = step {
                outcomes.insert(end.outcome.to_string());
            }
        }
    }
    let all = [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut, Outcome::Cancelled, Outcome::Skipped];
    assert_eq!(outcomes, all.map(|outcome| outcome.to_string()).into());
}
