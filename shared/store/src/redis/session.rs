//! Presence of workers.

use millrace_domain::SessionId;
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{parsed, texts};
use super::script::Script;
use crate::{Session, StoreError};

/// The time after which a session that was not renewed is forgotten.
const FORGET_AFTER_MS: u64 = 3_600_000;

/// The greatest number of sessions that are read.
const MOST: usize = 100_000;

/// Renews a session; answers the names of the pools that are paused.
pub(super) async fn renew(
    connection: &Connection,
    keys: &Keys,
    session: &Session,
) -> Result<Vec<String>, StoreError> {
    let known = serde_json::to_string(session)
        .map_err(|error| StoreError::Corrupt(format!("expected a session that can be JSON: {error}")))?;
    let mut call = Script::RenewSession.on(&[keys.sessions(), keys.sessions_renewed(), keys.paused_pools()]);
    call.arg(session.id.to_string()).arg(known).arg(FORGET_AFTER_MS);
    texts(connection.ask(call).await?)
}

/// Lists the sessions that were renewed lately.
pub(super) async fn list(connection: &Connection, keys: &Keys) -> Result<Vec<Session>, StoreError> {
    let mut call = Script::Sessions.on(&[&keys.sessions(), &keys.sessions_renewed()]);
    call.arg(FORGET_AFTER_MS).arg(MOST);
    let known = texts(connection.ask(call).await?)?;
    let read = |pair: &[String]| {
        let [known, silent_ms] = pair else {
            return Err(StoreError::Corrupt(format!("half a session: {pair:?}")));
        };
        let silent_ms = u64::try_from(parsed::<i64>(silent_ms, "how long ago it was renewed")?).ok();
        Ok(Session::read(known).map(|session| Session { silent_ms, ..session }))
    };
    known.chunks(2).filter_map(|pair| read(pair).transpose()).collect()
}

/// Removes a session.
pub(super) async fn end(connection: &Connection, keys: &Keys, session: SessionId) -> Result<(), StoreError> {
    let (mut known, mut renewed) = (cmd("HDEL"), cmd("ZREM"));
    known.arg(keys.sessions()).arg(session.to_string());
    renewed.arg(keys.sessions_renewed()).arg(session.to_string());
    connection.ask_all(vec![known, renewed]).await.map(drop)
}
