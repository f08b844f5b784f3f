//! Ownership of partitions. Writing to runs is in `commit`.

use millrace_domain::{Epoch, PartitionId, ProducerId, Seq, Timestamp};
use redis::{Value, cmd};

use super::cluster;
use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, int, maybe_text, parsed, text, timestamp, unexpected};
use super::script::Script;
use crate::{Acquired, StoreError};

/// Takes partitions that are free, lapsed, or the owner's own.
pub(super) async fn acquire(
    connection: &Connection,
    keys: &Keys,
    partitions: &[PartitionId],
    owner: ProducerId,
    ttl_ms: u64,
) -> Result<Vec<Acquired>, StoreError> {
    let call = |partition: &PartitionId| {
        let mut call = Script::Acquire.on(&[&keys.own(*partition)]);
        call.arg(owner.to_string()).arg(ttl_ms);
        call
    };
    let answers = connection.ask_all(partitions.iter().map(call).collect()).await?;
    answers.into_iter().map(acquired).collect()
}

fn acquired(answer: Value) -> Result<Acquired, StoreError> {
    let shown = answer.clone();
    let mut parts = array(answer)?.into_iter();
    let mut next = || parts.next().ok_or_else(|| unexpected("an acquisition", &shown));
    if int(&next()?)? == 0 {
        let owner = parsed(&text(next()?)?, "a producer")?;
        return Ok(Acquired::Held { owner, until: timestamp(&text(next()?)?)? });
    }
    let epoch = Epoch(parsed(&text(next()?)?, "an epoch")?);
    let (before, seq, published) = (text(next()?)?, text(next()?)?, text(next()?)?);
    let previous = match before.as_str() {
        "" => None,
        before => Some((Epoch(parsed(before, "an epoch")?), Seq(parsed(&seq, "a seq")?))),
    };
    let published_until = if published.is_empty() { Timestamp::default() } else { timestamp(&published)? };
    Ok(Acquired::Owned { epoch, previous, published_until })
}

/// Reads who holds a partition, and until when.
pub(super) async fn holder(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
) -> Result<Option<(ProducerId, Timestamp)>, StoreError> {
    let mut command = cmd("HMGET");
    command.arg(keys.own(partition)).arg("owner").arg("until");
    let own = array(connection.ask(command).await?)?;
    let own = own.into_iter().map(maybe_text).collect::<Result<Vec<_>, _>>()?;
    let [Some(owner), Some(until)] = own.as_slice() else { return Ok(None) };
    Ok(Some((parsed(owner, "a producer")?, timestamp(until)?)))
}

/// Whether a commit was lost.
pub(super) async fn is_lost(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    epoch: Epoch,
    seq: Seq,
) -> Result<bool, StoreError> {
    let mut command = cmd("HMGET");
    command.arg(keys.own(partition)).arg("epoch").arg("seq").arg("ends");
    // Two slots, and so two commands.
    let mut answers = connection.ask_all(vec![cluster::read(keys), command]).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    let Some(cluster) = cluster::cluster(next())? else {
        return Err(StoreError::Corrupt(
            "the store holds no cluster: it was emptied a moment ago".to_owned(),
        ));
    };
    let own = array(next())?.into_iter().map(maybe_text).collect::<Result<Vec<_>, _>>()?;
    // Whoever has committed there has owned it: that this is gone says that the commit is.
    let [Some(current), Some(last), ends] = own.as_slice() else { return Ok(true) };
    if epoch < cluster.since {
        return Ok(true);
    }
    let mut known = vec![(parsed(current, "an epoch")?, parsed(last, "a seq")?)];
    for end in ends.as_deref().unwrap_or_default().split_whitespace() {
        let (epoch, seq) = end.split_once(':').unwrap_or((end, ""));
        known.push((parsed(epoch, "an epoch")?, parsed(seq, "a seq")?));
    }
    Ok(beyond(&known, epoch.0, seq.0))
}

/// Whether a commit is beyond the end of its epoch, or of an epoch that is not known, though an older one is.
fn beyond(known: &[(u64, u64)], epoch: u64, seq: u64) -> bool {
    match known.iter().find(|(other, _)| *other == epoch) {
        Some((_, end)) => seq > *end,
        None => known.iter().any(|(other, _)| *other < epoch),
    }
}

/// Renews the leases of partitions.
pub(super) async fn renew(
    connection: &Connection,
    keys: &Keys,
    held: &[(PartitionId, Epoch)],
    ttl_ms: u64,
    published_until: Timestamp,
) -> Result<Vec<Option<Seq>>, StoreError> {
    let call = |(partition, epoch): &(PartitionId, Epoch)| {
        let mut call = Script::Renew.on(&[keys.own(*partition), keys.letters(*partition)]);
        call.arg(epoch.0).arg(ttl_ms).arg(published_until.as_millis());
        call
    };
    let answers = connection.ask_all(held.iter().map(call).collect()).await?;
    let kept = |answer| maybe_text(answer)?.map(|seq| Ok(Seq(parsed(&seq, "a seq")?))).transpose();
    answers.into_iter().map(kept).collect()
}

/// Gives partitions back.
pub(super) async fn release(
    connection: &Connection,
    keys: &Keys,
    held: &[(PartitionId, Epoch)],
) -> Result<(), StoreError> {
    let call = |(partition, epoch): &(PartitionId, Epoch)| {
        let mut call = Script::Release.on(&[&keys.own(*partition)]);
        call.arg(epoch.0);
        call
    };
    connection.ask_all(held.iter().map(call).collect()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::beyond;

    #[test]
    fn what_is_beyond_the_end_of_its_epoch_was_lost_and_what_is_too_old_to_tell_was_not() {
        let known = [(50, 7), (40, 9), (30, 2)];
        for (epoch, seq, lost) in [
            (50, 7, false),
            (50, 8, true),
            (40, 9, false),
            (40, 10, true),
            (45, 1, true),
            (60, 1, true),
            (20, 1_000, false),
        ] {
            assert_eq!(beyond(&known, epoch, seq), lost, "{epoch}, {seq}");
        }
    }
}
