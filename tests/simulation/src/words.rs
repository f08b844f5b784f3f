//! Long things in few words, for the trace.

use millrace_store::{Commit, Verdict};

/// Tells a commit and what became of it.
pub(crate) fn commit(who: &str, commit: &Commit, verdict: &Verdict) -> String {
    let mut text = format!("{who} {}/{}.{} {verdict:?}", commit.partition, commit.epoch.0, commit.seq.0);
    for delta in &commit.runs {
        let created = if delta.create.is_some() { " created" } else { "" };
        text.push_str(&format!("\n    run {}{created}", delta.run));
        if let Some(head) = &delta.head {
            text.push_str(&format!(" head {head}"));
        }
        for (step, record) in &delta.steps {
            text.push_str(&format!(" step {step} {record}"));
        }
        for one in &delta.dispatched {
            text.push_str(&format!(" dispatched {}:{}", one.unit, one.attempt));
        }
        for (step, attempt) in &delta.retired {
            text.push_str(&format!(" retired {step}:{attempt}"));
        }
    }
    let of_runs = commit.runs.iter().flat_map(|delta| &delta.letters);
    for letter in of_runs.chain(&commit.letters) {
        text.push_str(&format!("\n    letter {} to {}: {}", letter.n, letter.to, letter.body));
    }
    for row in commit.runs.iter().flat_map(|delta| &delta.tables).chain(&commit.tables) {
        text.push_str(&format!("\n    {row:?}"));
    }
    for delta in &commit.workflows {
        text.push_str(&format!("\n    {delta:?}"));
    }
    text
}
