//! The one way in which an owner writes: fenced by (epoch, seq), all of a commit or nothing.

use millrace_domain::{Epoch, RunId, Seq};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{Json, Millis, json};
use super::run::Applied;
use super::{catalog, letter, run, table, timer};
use crate::{Commit, RunDelta, Verdict};

/// Carries out a commit, wholly or not at all.
pub(super) fn commit(connection: &Connection, commit: &Commit) -> Result<Verdict> {
    let last = last(connection, commit)?;
    let Some(Last { epoch, seq, duplicates }) = last else {
        return Ok(Verdict::Fenced { epoch: Epoch::default(), seq: Seq::default() });
    };
    if commit.epoch != epoch {
        return Ok(Verdict::Fenced { epoch, seq });
    }
    if commit.seq == seq && seq != Seq::default() {
        return Ok(Verdict::Applied { duplicates });
    }
    if commit.seq != seq.next() {
        return Ok(Verdict::Fenced { epoch, seq });
    }
    let duplicates = apply(connection, commit)?;
    connection
        .prepare_cached(
            "UPDATE partitions SET seq = ?2, published_until = ?3, duplicates = ?4 WHERE id = ?1",
        )?
        .execute(params![
            commit.partition.0,
            commit.seq.0,
            Millis(commit.published_until),
            json(&duplicates)?
        ])?;
    Ok(Verdict::Applied { duplicates })
}

/// Whether the outside world is told of a commit: somebody submitted a run, waits for its end, or changed a workflow.
/// Such a commit is flushed. Progress in between is not: after a power loss it is made once more.
pub(super) fn tells(commit: &Commit) -> bool {
    let run = |delta: &RunDelta| delta.create.is_some() || delta.expires_at.is_some();
    commit.runs.iter().any(run)
        || !(commit.workflows.is_empty() && commit.timers.is_empty() && commit.cleared.is_empty())
}

/// Applies the changes of a commit, and answers the runs that existed and were to be created.
fn apply(connection: &Connection, commit: &Commit) -> Result<Vec<RunId>> {
    let mut duplicates = Vec::new();
    for delta in &commit.runs {
        match run::apply(connection, commit.partition, delta)? {
            Applied::Held => {
                letter::send(connection, commit, &delta.letters)?;
                table::change(connection, commit.partition, &delta.tables)?;
            }
            Applied::Duplicate => duplicates.push(delta.run),
            Applied::Gone => {}
        }
    }
    letter::send(connection, commit, &commit.letters)?;
    table::change(connection, commit.partition, &commit.tables)?;
    for delta in &commit.workflows {
        catalog::apply(connection, commit.partition, delta)?;
    }
    timer::change(connection, commit.partition, &commit.timers, &commit.cleared)?;
    Ok(duplicates)
}

struct Last {
    epoch: Epoch,
    seq: Seq,
    duplicates: Vec<RunId>,
}

fn last(connection: &Connection, commit: &Commit) -> Result<Option<Last>> {
    connection
        .prepare_cached("SELECT epoch, seq, duplicates FROM partitions WHERE id = ?1")?
        .query_row([commit.partition.0], |row| {
            Ok(Last {
                epoch: Epoch(row.get(0)?),
                seq: Seq(row.get(1)?),
                duplicates: row.get::<_, Json<_>>(2)?.0,
            })
        })
        .optional()
}

#[cfg(test)]
mod tests {
    use millrace_domain::{PartitionId, StepIndex, Timestamp, TriggerId, WorkflowId};

    use super::*;
    use crate::{Letter, NewRun, RowDelta, Table, Timer, WorkflowDelta};

    fn commit() -> Commit {
        let run = RunId::of_key(&WorkflowId::adhoc(), "key", 1);
        let mut progress = RunDelta::new(run);
        progress.head = Some(String::new());
        progress.retired.push((StepIndex(0).into(), 1));
        progress.timers.push((Timestamp::default(), Timer::RunTimeout(run)));
        let mut commit = Commit::new(PartitionId(0), Epoch(1), Seq(1), Timestamp::default());
        commit.runs.push(progress);
        // What these lead to is in the same file, and so is lost with them or not at all.
        let body = String::new();
        commit.letters.push(Letter { n: 0, at: Timestamp::default(), to: PartitionId(1), body });
        commit.tables.push(RowDelta::delete(Table("test"), "key"));
        commit
    }

    #[test]
    fn the_outside_is_told_of_beginnings_ends_and_definitions_not_of_progress() {
        let name = WorkflowId::adhoc();
        assert!(!tells(&commit()));

        let mut begins = commit();
        begins.runs[0].create = Some(NewRun {
            created_at: Timestamp::default(),
            workflow: name.clone(),
            keyed: false,
            definition: String::new(),
        });
        let mut ends = commit();
        ends.runs[0].expires_at = Some(Timestamp::default());
        let mut defines = commit();
        defines.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head: String::new() });
        let mut schedules = commit();
        schedules.timers.push((Timestamp::default(), Timer::Fire(name.clone(), TriggerId(0))));
        let mut unschedules = commit();
        unschedules.cleared.push(Timer::Fire(name, TriggerId(0)));
        for told in [begins, ends, defines, schedules, unschedules] {
            assert!(tells(&told), "{told:?}");
        }
    }
}
