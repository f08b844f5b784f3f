//! Letters of a partition, until they have arrived.

use millrace_domain::{Epoch, PartitionId, Seq, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, rows};
use crate::{Commit, Letter, StoredLetter};

/// Stores letters of a commit.
pub(super) fn send(connection: &Connection, commit: &Commit, letters: &[Letter]) -> Result<()> {
    for Letter { n, at, to, body } in letters {
        connection
            .prepare_cached(
                "REPLACE INTO letters (partition, at, epoch, seq, n, destination, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![commit.partition.0, Millis(*at), commit.epoch.0, commit.seq.0, n, to.0, body])?;
    }
    Ok(())
}

/// Drops the letters of before an instant: they have arrived.
pub(super) fn drop_before(connection: &Connection, partition: PartitionId, until: Timestamp) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM letters WHERE partition = ?1 AND at < ?2")?
        .execute(params![partition.0, Millis(until)])?;
    Ok(())
}

/// Lists letters of a partition in order of (when, epoch, seq, number).
pub(super) fn list(
    connection: &Connection,
    partition: PartitionId,
    from: Timestamp,
    after: Option<&StoredLetter>,
    limit: usize,
) -> Result<Vec<StoredLetter>> {
    let (at, epoch, seq, n) = match after.filter(|last| last.letter.at >= from) {
        Some(last) => (last.letter.at, last.epoch.0, last.seq.0, i64::from(last.letter.n)),
        // Before the first letter of that instant.
        None => (from, 0, 0, -1),
    };
    connection
        .prepare_cached(
            "SELECT at, epoch, seq, n, destination, body FROM letters
             WHERE partition = ?1 AND (at, epoch, seq, n) > (?2, ?3, ?4, ?5)
             ORDER BY at, epoch, seq, n LIMIT ?6",
        )?
        .query_map(params![partition.0, Millis(at), epoch, seq, n, rows(limit)], |row| {
            Ok(StoredLetter {
                epoch: Epoch(row.get(1)?),
                seq: Seq(row.get(2)?),
                letter: Letter {
                    n: row.get(3)?,
                    at: row.get::<_, Millis>(0)?.0,
                    to: PartitionId(row.get(4)?),
                    body: row.get(5)?,
                },
            })
        })?
        .collect()
}
