//! Reading a sorted set in pages, in order of (score, member).

use millrace_domain::Timestamp;
use redis::{Value, cmd};

use super::connection::Connection;
use super::reply::{int, maybe_text, scored, timestamp};
use crate::StoreError;

/// The place at which a page begins.
pub(super) enum Start {
    /// At the first member of all.
    First,
    /// At the first one with this score or a higher one.
    From(Timestamp),
    /// After this member, whether it is still there or not.
    After(Timestamp, String),
}

/// Lists the members of a sorted set in its order, as far as `read` can read them, at most `limit`.
pub(super) async fn list<T>(
    connection: &Connection,
    key: &str,
    start: Start,
    limit: usize,
    read: impl Fn(Timestamp, String) -> Result<Option<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (from, mut skip, after) = match start {
        Start::First => ("-inf".to_owned(), 0, None),
        Start::From(score) => (score.as_millis().to_string(), 0, None),
        Start::After(score, member) => {
            let skip = up_to(connection, key, score, &member).await?;
            (score.as_millis().to_string(), skip, Some((score, member)))
        }
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let wanted = limit - found.len();
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(key).arg(&from).arg("+inf").arg("WITHSCORES").arg("LIMIT").arg(skip).arg(wanted);
        let page: Vec<(Timestamp, String)> = scored(connection.ask(command).await?, "a member")?;
        let last = page.len() < wanted;
        skip = skip.saturating_add(page.len());
        for (score, member) in page {
            if after.as_ref().is_none_or(|(from, text)| (score, &member) > (*from, text)) {
                found.extend(read(score, member)?);
            }
        }
        if last {
            break;
        }
    }
    Ok(found)
}

/// The number of members with this score up to this one; none when it is not there any more.
async fn up_to(
    connection: &Connection,
    key: &str,
    score: Timestamp,
    member: &str,
) -> Result<usize, StoreError> {
    let (mut held, mut rank, mut earlier) = (cmd("ZSCORE"), cmd("ZRANK"), cmd("ZCOUNT"));
    held.arg(key).arg(member);
    rank.arg(key).arg(member);
    earlier.arg(key).arg("-inf").arg(format!("({}", score.as_millis()));
    let mut answers = connection.ask_all(vec![held, rank, earlier]).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    let held = maybe_text(next())?.map(|score| timestamp(&score)).transpose()?;
    if held != Some(score) {
        return Ok(0);
    }
    let (rank, earlier) = (int(&next())?, int(&next())?);
    Ok(usize::try_from(rank - earlier + 1).unwrap_or(0))
}
