//! Who owns a partition, since which epoch, and until when.

use millrace_domain::{Epoch, PartitionId, ProducerId, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{Millis, Text};
use super::{cluster, letter};
use crate::Acquired;

struct Ownership {
    owner: Option<ProducerId>,
    until: Timestamp,
    epoch: u64,
    seq: u64,
    published_until: Timestamp,
}

/// Takes a partition that is free, lapsed, or the owner's own.
pub(super) fn acquire(
    connection: &Connection,
    partition: PartitionId,
    owner: ProducerId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Acquired> {
    let last = ownership(connection, partition)?;
    if let Some(Ownership { owner: Some(other), until: held_until, .. }) = &last
        && *other != owner
        && now < *held_until
    {
        // Held for longer than the asker would hold it, it was taken or kept when the clock was ahead.
        if *held_until > until {
            set_until(connection, partition, until)?;
        }
        return Ok(Acquired::Held { owner: *other, until: until.min(*held_until) });
    }
    let micros = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000);
    let epoch = last.as_ref().map_or(micros, |last| micros.max(last.epoch + 1));
    let published_until = last.as_ref().map_or(Timestamp::default(), |last| last.published_until);
    connection
        .prepare_cached(
            "REPLACE INTO partitions (id, owner, until, epoch, seq, published_until, duplicates)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, '[]')",
        )?
        .execute(params![partition.0, Text(owner), Millis(until), epoch, Millis(published_until)])?;
    let previous = last.map(|last| (Epoch(last.epoch), Seq(last.seq)));
    Ok(Acquired::Owned { epoch: Epoch(epoch), previous, published_until })
}

/// Reads who holds a partition, and until when.
pub(super) fn holder(
    connection: &Connection,
    partition: PartitionId,
) -> Result<Option<(ProducerId, Timestamp)>> {
    let last = ownership(connection, partition)?;
    Ok(last.and_then(|last| Some((last.owner?, last.until))))
}

/// Renews the lease of a partition, and drops its letters of before the watermark. One that was given back is not kept,
/// though its epoch still stands.
pub(super) fn renew(
    connection: &Connection,
    partition: PartitionId,
    epoch: Epoch,
    until: Timestamp,
    published_until: Timestamp,
) -> Result<Option<Seq>> {
    let kept = connection
        .prepare_cached(
            "UPDATE partitions SET until = ?3, published_until = max(published_until, ?4)
             WHERE id = ?1 AND epoch = ?2 AND owner IS NOT NULL RETURNING seq",
        )?
        .query_row(params![partition.0, epoch.0, Millis(until), Millis(published_until)], |row| {
            row.get(0).map(Seq)
        })
        .optional()?;
    if kept.is_some() {
        // Not by the stored watermark: that may be of a clock that was ahead, and then says nothing.
        letter::drop_before(connection, partition, published_until)?;
    }
    Ok(kept)
}

fn set_until(connection: &Connection, partition: PartitionId, until: Timestamp) -> Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE partitions SET until = ?2 WHERE id = ?1 AND owner IS NOT NULL")?;
    update.execute(params![partition.0, Millis(until)]).map(drop)
}

/// Gives a partition back, unless the epoch is stale.
pub(super) fn release(connection: &Connection, partition: PartitionId, epoch: Epoch) -> Result<()> {
    if holds(connection, partition, epoch)? {
        connection
            .prepare_cached("UPDATE partitions SET owner = NULL WHERE id = ?1")?
            .execute([partition.0])?;
    }
    Ok(())
}

/// Whether the commits of an epoch were lost. A file does not go back to an earlier state by itself, so that only
/// what another one held can be lost.
pub(super) fn is_lost(connection: &Connection, partition: PartitionId, epoch: Epoch) -> Result<bool> {
    let since = cluster::stored(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.since;
    Ok(epoch < since || ownership(connection, partition)?.is_none())
}

/// Whether `epoch` is the one that holds: the fence of every write of an owner.
pub(super) fn holds(connection: &Connection, partition: PartitionId, epoch: Epoch) -> Result<bool> {
    let stored: Option<u64> = connection
        .prepare_cached("SELECT epoch FROM partitions WHERE id = ?1")?
        .query_row([partition.0], |row| row.get(0))
        .optional()?;
    Ok(stored == Some(epoch.0))
}

fn ownership(connection: &Connection, partition: PartitionId) -> Result<Option<Ownership>> {
    connection
        .prepare_cached("SELECT owner, until, epoch, seq, published_until FROM partitions WHERE id = ?1")?
        .query_row([partition.0], |row| {
            Ok(Ownership {
                owner: row.get::<_, Option<Text<_>>>(0)?.map(|owner| owner.0),
                until: row.get::<_, Millis>(1)?.0,
                epoch: row.get(2)?,
                seq: row.get(3)?,
                published_until: row.get::<_, Millis>(4)?.0,
            })
        })
        .optional()
}
