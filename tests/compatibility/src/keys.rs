//! All that a Redis holds, as JSON: for each key its kind and what is in it.
//!
//! ```json
//! {"millrace:{p0}:own": {"hash": {"epoch": "1795243352001234"}},
//!  "millrace:{p0}:runs": {"zset": {"9de6b497...": "1795243352001"}},
//!  "millrace:{p0}:workflows": {"set": ["report"]}}
//! ```

use redis::{Commands, Connection, cmd};
use serde_json::{Map, Value, json};

/// The prefix of what was recorded.
const PREFIX: &str = "millrace:";

fn connect(url: &str) -> Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

/// Reads all that a server holds.
///
/// # Panics
/// When it does not answer, or holds something of another kind than a hash, a set or a sorted set.
pub fn dump(url: &str) -> Value {
    let mut connection = connect(url);
    let mut keys: Vec<String> = cmd("KEYS").arg("*").query(&mut connection).unwrap();
    keys.sort();
    let mut all = Map::new();
    for key in keys {
        let kind: String = cmd("TYPE").arg(&key).query(&mut connection).unwrap();
        let value = match kind.as_str() {
            "hash" => {
                let fields: std::collections::BTreeMap<String, String> = connection.hgetall(&key).unwrap();
                json!({ "hash": fields })
            }
            "zset" => {
                let ranged = cmd("ZRANGE").arg(&key).arg(0).arg(-1).arg("WITHSCORES").query(&mut connection);
                let members: Vec<(String, String)> = ranged.unwrap();
                let members: Map<String, Value> =
                    members.into_iter().map(|(member, score)| (member, Value::from(score))).collect();
                json!({ "zset": members })
            }
            "set" => {
                let mut members: Vec<String> = connection.smembers(&key).unwrap();
                members.sort();
                json!({ "set": members })
            }
            other => panic!("{key} is a {other}"),
        };
        all.insert(key, value);
    }
    Value::Object(all)
}

/// Puts what was recorded into a server, under another prefix.
///
/// # Panics
/// When it does not take it.
pub fn load(url: &str, prefix: &str, recorded: &Value) {
    let mut connection = connect(url);
    for (key, value) in recorded.as_object().unwrap() {
        let key = format!("{prefix}:{}", key.strip_prefix(PREFIX).unwrap());
        let (kind, content) = value.as_object().unwrap().iter().next().unwrap();
        let mut command = cmd(match kind.as_str() {
            "hash" => "HSET",
            "zset" => "ZADD",
            _ => "SADD",
        });
        command.arg(&key);
        match content {
            Value::Object(fields) => fields.iter().for_each(|(field, value)| {
                let value = value.as_str().unwrap();
                let (first, second) =
                    if kind == "zset" { (value, field.as_str()) } else { (field.as_str(), value) };
                command.arg(first).arg(second);
            }),
            other => other.as_array().unwrap().iter().for_each(|member| {
                command.arg(member.as_str().unwrap());
            }),
        }
        command.exec(&mut connection).unwrap();
    }
}
