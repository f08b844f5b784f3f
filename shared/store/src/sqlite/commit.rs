//! The one way in which an owner writes: fenced by (epoch, seq), all of a commit or nothing.

use millrace_domain::{Epoch, RunId, Seq};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{Json, Millis, json};
use super::{catalog, run, timer};
use crate::{Commit, RunDelta, Verdict};

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

/// Whether the outside world is told of it: somebody submitted a run, waits for its end, or changed a workflow.
/// Such a commit is flushed. Progress in between is not: after a power loss it is made once more.
pub(super) fn tells(commit: &Commit) -> bool {
    let run = |delta: &RunDelta| delta.create.is_some() || delta.expires_at.is_some();
    commit.runs.iter().any(run)
        || !(commit.workflows.is_empty() && commit.timers.is_empty() && commit.cleared.is_empty())
}

/// Answers the runs that existed and were to be created.
fn apply(connection: &Connection, commit: &Commit) -> Result<Vec<RunId>> {
    let mut duplicates = Vec::new();
    for delta in &commit.runs {
        if !run::apply(connection, commit.partition, delta)? {
            duplicates.push(delta.run);
        }
    }
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
