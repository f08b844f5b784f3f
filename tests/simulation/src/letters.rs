//! What runs of a simulation tell other partitions. Nothing uses tables yet, and only children use letters, so runs with a certain
//! label send some: keyed submissions, whose runs may send more, and cancels.

use std::collections::BTreeMap;

use millrace_domain::message::InboxBody;
use millrace_domain::submission::{IdempotencyKey, Submission};
use millrace_domain::{RunId, WorkflowId};
use millrace_producer::Rehearsed;
use millrace_store::{RowDelta, Table};

/// The label that says through how many generations a run tells others.
pub(crate) const TELLS: &str = "tells";

/// The label of a run that a letter has started.
pub(crate) const TOLD: &str = "told";

/// The label of a run that goes on until one that it has started cancels it.
pub(crate) const WAITS: &str = "waits";

/// The label of a run that cancels another one: the id of that.
const CANCELS: &str = "cancels";

/// The table in which each run that tells others is written down, and which was the last.
pub(crate) const TELLERS: Table = Table("tellers");

/// The number of runs that one starts.
const CHILDREN: u32 = 2;

/// What a new run with these labels sends and writes, in a cluster of so many partitions.
pub(crate) fn rehearse(run: RunId, labels: &BTreeMap<String, String>, partitions: u16) -> Rehearsed {
    let mut rehearsed = Rehearsed::default();
    if let Some(other) = labels.get(CANCELS).and_then(|other| other.parse::<RunId>().ok()) {
        let body = InboxBody::Cancel { run: other, reason: format!("by {run}") };
        rehearsed.letters.push((other.partition(), body));
    }
    let Some(generations) = labels.get(TELLS).and_then(|count| count.parse::<u32>().ok()) else {
        return rehearsed;
    };
    rehearsed.rows.push(RowDelta::put(TELLERS, run.to_string(), generations.to_string()));
    rehearsed.rows.push(match generations {
        1 => RowDelta::delete(TELLERS, "last"),
        _ => RowDelta::put(TELLERS, "last", run.to_string()),
    });
    for child in 0..CHILDREN {
        let mut submission = told(run, child, generations - 1);
        if labels.contains_key(WAITS) {
            submission.labels.insert(CANCELS.to_owned(), run.to_string());
        }
        let Some(to) = run_of(&submission, partitions).map(RunId::partition) else { continue };
        rehearsed.letters.push((to, InboxBody::Submit { submission: Box::new(submission) }));
    }
    rehearsed
}

/// The submission of a run that another one starts.
fn told(by: RunId, child: u32, generations: u32) -> Submission {
    let mut labels = BTreeMap::from([(TOLD.to_owned(), by.to_string())]);
    if generations > 0 {
        labels.insert(TELLS.to_owned(), generations.to_string());
    }
    let key = format!("{by}-{child}");
    let idempotency_key = IdempotencyKey::given(key.as_bytes()).ok().flatten();
    Submission { run: Some("ok".to_owned()), labels, idempotency_key, ..Submission::default() }
}

/// The run of a key.
pub(crate) fn run_of(submission: &Submission, partitions: u16) -> Option<RunId> {
    let key = submission.idempotency_key.as_ref()?;
    let adhoc = WorkflowId::adhoc();
    Some(RunId::of_key(submission.workflow.as_ref().unwrap_or(&adhoc), key.as_str(), partitions))
}
