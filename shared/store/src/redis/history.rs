//! The histories of runs, as far as entries tell them. Commits write them.

use millrace_domain::RunId;
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{parsed, texts, unexpected};
use crate::StoreError;

/// The greatest number of entries that are read by one command.
const BATCH: usize = 1_000;

/// Reads entries of a run's history, in order.
pub(super) async fn read(
    connection: &Connection,
    keys: &Keys,
    run: RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, String)>, StoreError> {
    let (mut entries, mut after) = (Vec::new(), after);
    while entries.len() < limit {
        let wanted = BATCH.min(limit - entries.len());
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(keys.history(run)).arg(format!("({after}")).arg("+inf").arg("WITHSCORES");
        command.arg("LIMIT").arg(0).arg(wanted);
        let answer = connection.ask(command).await?;
        let mut words = texts(answer)?.into_iter();
        let found = entries.len();
        while let Some(entry) = words.next() {
            let n = words.next().ok_or_else(|| unexpected("a number", &redis::Value::Nil))?;
            after = parsed(&n, "the number of an advance")?;
            entries.push((after, entry));
        }
        if entries.len() - found < wanted {
            break;
        }
    }
    Ok(entries)
}
