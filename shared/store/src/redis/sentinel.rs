//! Who is the primary now? All Sentinels are asked, and most of those that answer must agree: one that is cut off
//! from the others names the one that was.

use std::collections::HashMap;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, RedisError, Value, cmd};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::Sentinels;
use super::reply;
use crate::StoreError;

/// The bound on an answer of a Sentinel: one that takes longer counts as away.
const BOUND: Duration = Duration::from_secs(1);

/// The place of a server: host and port.
pub(super) type Place = (String, u16);

/// Finds the primary, as most Sentinels that answer say.
pub(super) async fn primary(sentinels: &Sentinels, shown: &str) -> Result<Place, StoreError> {
    let mut asked = JoinSet::new();
    for (plain, known) in sentinels.clients.clone() {
        let name = sentinels.name.clone();
        asked.spawn(async move {
            let who = plain.get_connection_info().addr().to_string();
            let answer = timeout(BOUND, ask(plain, known, &name)).await;
            (who, answer.unwrap_or_else(|_| Err("no answer within 1 s".to_owned())))
        });
    }
    let mut votes: HashMap<Place, usize> = HashMap::new();
    let mut silent = Vec::new();
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((_, Ok(place))) => *votes.entry(place).or_default() += 1,
            Ok((who, Err(why))) => silent.push(format!("{who}: {why}")),
            Err(_) => {}
        }
    }
    let answered: usize = votes.values().sum();
    match votes.into_iter().max_by_key(|(_, count)| *count) {
        Some((place, count)) if count * 2 > answered => Ok(place),
        Some(_) => Err(unavailable(shown, "the Sentinels do not agree who is the primary".to_owned())),
        None => {
            Err(unavailable(shown, format!("no Sentinel names {:?} ({})", sentinels.name, silent.join("; "))))
        }
    }
}

async fn ask(plain: Client, known: Option<Client>, name: &str) -> Result<Place, String> {
    let answer = match (ask_one(&plain, name).await, known) {
        // It wants a password: the one of the servers is all there is.
        (Err(error), Some(known)) if error.code() == Some("NOAUTH") => ask_one(&known, name).await,
        (answer, _) => answer,
    };
    let answer = answer.map_err(|error| error.to_string())?;
    if answer == Value::Nil {
        return Err("it does not know that name".to_owned());
    }
    let place = reply::texts(answer).map_err(|error| error.to_string())?;
    match place.as_slice() {
        [host, port] => Ok((host.clone(), port.parse().map_err(|_| format!("{port:?} is no port"))?)),
        other => Err(format!("expected host and port, got {other:?}")),
    }
}

async fn ask_one(client: &Client, name: &str) -> Result<Value, RedisError> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(BOUND)).set_response_timeout(Some(BOUND));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    cmd("SENTINEL").arg("get-master-addr-by-name").arg(name).query_async(&mut connection).await
}

fn unavailable(shown: &str, why: String) -> StoreError {
    StoreError::Unavailable(shown.to_owned(), why)
}
