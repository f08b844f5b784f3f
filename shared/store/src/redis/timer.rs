//! Timers of a partition: a sorted set by due time.

use millrace_domain::{PartitionId, Timestamp};
use redis::{Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{int, maybe_text, parsed, scored, timestamp};
use crate::{StoreError, Timer};

/// Lists the timers of a partition in order of (due, text of the timer), which is the order of a sorted set.
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    after: Option<(Timestamp, Timer)>,
    limit: usize,
) -> Result<Vec<(Timestamp, Timer)>, StoreError> {
    let key = keys.timers(partition);
    let after = after.map(|(due, timer)| (due, timer.to_string()));
    let mut start = match &after {
        Some((due, timer)) => place_after(connection, &key, *due, timer).await?,
        None => 0,
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let wanted = limit - found.len();
        let mut command = cmd("ZRANGE");
        command.arg(&key).arg(start).arg(start.saturating_add(wanted - 1)).arg("WITHSCORES");
        let page: Vec<(Timestamp, String)> = scored(connection.ask(command).await?, "a timer")?;
        let last = page.len() < wanted;
        start = start.saturating_add(page.len());
        for (due, timer) in page {
            if after.as_ref().is_none_or(|(from, text)| (due, &timer) > (*from, text)) {
                found.push((due, parsed(&timer, "a timer")?));
            }
        }
        if last {
            break;
        }
    }
    Ok(found)
}

/// The place where those after this timer begin; at most those due in the same millisecond come in between.
async fn place_after(
    connection: &Connection,
    key: &str,
    due: Timestamp,
    timer: &str,
) -> Result<usize, StoreError> {
    let (mut score, mut rank, mut earlier) = (cmd("ZSCORE"), cmd("ZRANK"), cmd("ZCOUNT"));
    score.arg(key).arg(timer);
    rank.arg(key).arg(timer);
    earlier.arg(key).arg("-inf").arg(format!("({}", due.as_millis()));
    let mut answers = connection.ask_all(vec![score, rank, earlier]).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    let still_due = maybe_text(next())?.map(|score| timestamp(&score)).transpose()?;
    let (rank, earlier) = (next(), next());
    let place = |value| int(value).map(|place| usize::try_from(place).unwrap_or(0));
    if still_due == Some(due) { Ok(place(&rank)? + 1) } else { place(&earlier) }
}
