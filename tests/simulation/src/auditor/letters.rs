//! What commits tell other partitions, and what they write into tables.

use millrace_domain::message::InboxBody;
use millrace_domain::run::{Source, Spec};
use millrace_domain::{PartitionId, RunId};
use millrace_store::{Commit, NewRun};

use super::Auditor;
use crate::letters::{TOLD, run_of};
use crate::store::Memory;

impl Auditor {
    /// Notes what a commit sends and writes that holds but for these runs.
    pub(super) fn told(&mut self, memory: &Memory, commit: &Commit, duplicates: &[RunId]) {
        for letter in commit.letters_without(duplicates) {
            self.letters += 1;
            match serde_json::from_str(&letter.body) {
                Ok(InboxBody::Submit { submission }) => {
                    // A letter that is committed is a promise.
                    let run = memory.founded().and_then(|partitions| run_of(&submission, partitions));
                    self.promised.extend(run);
                }
                Ok(body) => self.asked_for(&body),
                Err(_) => {}
            }
        }
        let of_runs = commit.runs.iter().filter(|delta| !duplicates.contains(&delta.run));
        let mut changed = false;
        for row in of_runs.flat_map(|delta| &delta.tables).chain(&commit.tables) {
            changed = true;
            let key = (commit.partition, row.table, row.key.clone());
            let before = match &row.value {
                Some(value) => self.rows.insert(key, value.clone()),
                None => self.rows.remove(&key),
            };
            self.note_lock(row.table, &row.key, before.as_deref(), row.value.as_deref());
        }
        if changed {
            self.check_rows(memory, commit.partition);
            self.check_locks(commit.partition);
        }
    }

    fn check_rows(&mut self, memory: &Memory, partition: PartitionId) {
        let here = self.rows.iter().filter(|((of, ..), _)| *of == partition);
        let expected: Vec<_> = here.map(|((_, table, key), value)| (*table, key, value)).collect();
        let stored = memory.rows(partition);
        if expected != stored {
            let objection =
                format!("the rows of {partition} are {stored:?}, and {expected:?} were committed");
            self.object(8, || objection);
        }
    }

    /// Notes the creation of a run: what a letter has started was sent by a commit.
    pub(super) fn check_told(&mut self, run: RunId, new: &NewRun) {
        let Ok(Spec { source: Source::Adhoc(submission), .. }) = serde_json::from_str(&new.definition) else {
            return;
        };
        if submission.labels.contains_key(TOLD) && !self.promised.contains(&run) {
            self.object(8, || format!("run {run} was started by a letter that no commit has sent"));
        }
    }
}
