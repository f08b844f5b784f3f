//! Runs that a newer version has written, as far as they can be read.

use std::collections::BTreeMap;

use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Head, RunState};
use millrace_domain::{RunId, StepIndex, Timestamp, Unit, WorkflowId};
use millrace_store::{RunSummary, StoredRun};
use serde_json::{Value, json};

use super::parent::ParentView;
use super::view::{self, RunSummaryView, RunView};
use crate::context::Context;

/// The state that is shown of what does not say any.
const UNKNOWN: &str = "unknown";

/// A stored run as it is seen from outside. What of it cannot be read is left out, and the run says so. A text when
/// nothing of it can be read.
pub(super) async fn run(context: &Context, id: RunId, stored: &StoredRun) -> Result<RunView, String> {
    let whole = view::run(context, id, stored).await;
    let why = match (&whole, stored.unknown.first()) {
        (Ok(_), None) => return whole,
        (Ok(_), Some(field)) => format!("its field {field} is not known here"),
        (Err(why), _) => why.clone(),
    };
    let Some((head, state)) = head(&stored.head, None) else { return whole };
    let (known, unknown) = steps(&stored.steps);
    let tasks = stored.tasks.iter().filter(|(unit, ..)| unit.item.is_none()).cloned().collect();
    let readable = StoredRun { head: json!(head).to_string(), steps: known, tasks, ..stored.clone() };
    let mut shown = match view::run(context, id, &readable).await {
        Ok(shown) => shown,
        Err(_) => {
            let parent = head.parent.as_deref().map(ParentView::of);
            let summary = view::summary(id, head);
            RunView { summary, asked: None, parent, outputs: None, steps: Vec::new() }
        }
    };
    shown.summary.state = state.into();
    shown.summary.reason = Some(sentence(&why));
    for (step, state) in unknown {
        if let Some(step) = shown.steps.get_mut(step.at()) {
            (step.state, step.reason) = (state, Some("it stands as only a newer version knows".to_owned()));
        }
    }
    Ok(shown)
}

/// A run of a list.
pub(super) fn listed(found: RunSummary) -> RunSummaryView {
    let known = (found.workflow, found.created_at);
    summary(found.run, &found.head, Some(&known)).unwrap_or_else(|why| {
        let mut shown = view::summary(found.run, Head::new(known.0.clone(), None, known.1));
        (shown.state, shown.reason) = (UNKNOWN.into(), Some(sentence(&why)));
        shown
    })
}

/// The head of a run as far as it can be read. A text when nothing of it can. `known` is what a list says of the run.
pub(super) fn summary(
    run: RunId,
    text: &str,
    known: Option<&(WorkflowId, Timestamp)>,
) -> Result<RunSummaryView, String> {
    let why = match serde_json::from_str::<Head>(text) {
        Ok(head) => return Ok(view::summary(run, head)),
        Err(error) => error.to_string(),
    };
    let Some((head, state)) = head(text, known) else { return Err(why) };
    let mut shown = view::summary(run, head);
    (shown.state, shown.reason) = (state.into(), Some(sentence(&why)));
    Ok(shown)
}

/// The reason that is told of such a run.
fn sentence(why: &str) -> String {
    format!(
        "a newer version of Millrace has written this run, which is shown as far as it can be read here: {why}"
    )
}

/// The part of a head that can be read, and the word for the run's state. `known` is what a list says of the run.
fn head(text: &str, known: Option<&(WorkflowId, Timestamp)>) -> Option<(Head, String)> {
    let Value::Object(mut fields) = serde_json::from_str(text).ok()? else { return None };
    let state = fields.get("state").and_then(Value::as_str).unwrap_or(UNKNOWN).to_owned();
    let read = |fields: &serde_json::Map<String, Value>| serde_json::from_value::<Head>(json!(fields)).ok();
    if let Some(head) = read(&fields) {
        return Some((head, state));
    }
    fields.insert("state".to_owned(), json!(RunState::Running));
    if let Some((workflow, created_at)) = known {
        fields.insert("workflow".to_owned(), json!(workflow));
        fields.insert("created_at".to_owned(), json!(created_at));
    }
    if let Some(head) = read(&fields) {
        return Some((head, state));
    }
    // Any one of the others may be what is written otherwise: each is shown that can be read by itself.
    let needed = ["state", "workflow", "created_at"];
    let least: serde_json::Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| needed.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let mut head = least.clone();
    for (name, value) in fields {
        let alone = least.clone().into_iter().chain([(name.clone(), value.clone())]).collect();
        if read(&alone).is_some() {
            head.insert(name, value);
        }
    }
    read(&head).map(|head| (head, state))
}

/// The records of steps that can be read, and the words for the states of the others. Of an item only its step is shown,
/// which has a record of its own.
fn steps(stored: &[(Unit, String)]) -> (Vec<(Unit, String)>, BTreeMap<StepIndex, String>) {
    let (mut known, mut unknown) = (Vec::new(), BTreeMap::new());
    for (unit, record) in stored {
        let Some(step) = unit.whole_step() else { continue };
        if serde_json::from_str::<StepRecord>(record).is_ok() {
            known.push((*unit, record.clone()));
            continue;
        }
        let fields: Value = serde_json::from_str(record).unwrap_or_default();
        unknown.insert(step, fields["s"].as_str().unwrap_or(UNKNOWN).to_owned());
    }
    (known, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_shown_as_far_as_it_can_be_read() {
        let read = |text: &str| head(text, None);
        let sound = r#"{"state":"running","workflow":"daily","created_at":7,"origin":"x"}"#;
        let (head, state) = read(sound).unwrap();
        assert_eq!(
            (head.workflow.as_str(), head.created_at.as_millis(), state.as_str()),
            ("daily", 7, "running")
        );
        let newer = r#"{"state":"suspended","workflow":"daily","created_at":7,"labels":{"a":"b"},"verdict":{"left":1}}"#;
        let (head, state) = read(newer).unwrap();
        assert_eq!((state.as_str(), head.labels["a"].as_str(), head.verdict), ("suspended", "b", None));
        for nothing in ["", "[]", r#"{"state":"running"}"#] {
            assert!(read(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn a_step_in_a_state_that_is_not_known_does_not_hide_the_others() {
        let backoff = r#"{"s":"backoff","attempts":{"attempt":1},"until":5}"#.to_owned();
        let asking = r#"{"s":"asking","who":"a person"}"#.to_owned();
        let unit = |step| Unit::from(StepIndex(step));
        let item = Unit { item: Some(0), ..unit(2) };
        let stored = [
            (unit(0), backoff.clone()),
            (unit(1), asking),
            (unit(2), String::new()),
            (item, backoff.clone()),
        ];
        let (known, unknown) = steps(&stored);
        assert_eq!(known, [(unit(0), backoff)]);
        let unknown: Vec<_> = unknown.iter().map(|(step, state)| (step.0, state.as_str())).collect();
        assert_eq!(unknown, [(1, "asking"), (2, "unknown")]);
    }
}
