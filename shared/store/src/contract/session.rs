//! Presence of workers. A session is alive as long as its count moves; how long "as long" is, each reader
//! decides by watching on its own monotonic clock.

use std::hash::{DefaultHasher, Hash, Hasher};

use millrace_domain::SessionId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A session: a worker's presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the session.
    pub id: SessionId,
    /// The count of renewals, which rises with every one.
    pub count: u64,
    /// The host where the worker runs.
    pub host: String,
    /// The process id of the worker there.
    pub pid: u32,
    /// The pools that it serves.
    pub pools: Vec<String>,
    /// The number of tasks that it can run at once.
    pub slots: u32,
    /// The number of tasks that it runs.
    pub running: u32,
    /// Whether it takes no more tasks and is about to go.
    pub draining: bool,
    /// When it started, in milliseconds since the epoch.
    pub started_at: i64,
    /// The time since it was renewed, by the store's clock when it was read, in milliseconds: the store's to say, and
    /// for people. `None`: the clock was ahead then, and was set back. Whether a session is over is decided by
    /// watching its count.
    #[serde(skip)]
    pub silent_ms: Option<u64>,
    /// The labels of the worker, each `key=value`.
    #[serde(default)]
    pub labels: Vec<String>,
}

impl Session {
    /// Reads a session as it is stored. Of one that a newer version has stored in another form, that much is read on
    /// which others go: who it is, and whether its count moves. `None` when it does not say who it is.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().or_else(|| Self::presence(text))
    }

    /// Reads who a session is, and how often it was renewed.
    fn presence(text: &str) -> Option<Self> {
        let known: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| known.get(name).and_then(Value::as_str);
        Some(Self {
            id: word("id")?.parse().ok()?,
            // Each renewal changes something of it.
            count: known.get("count").and_then(Value::as_u64).unwrap_or_else(|| hash(text)),
            host: word("host").unwrap_or_default().to_owned(),
            pid: 0,
            pools: Vec::new(),
            slots: 0,
            running: 0,
            draining: false,
            started_at: 0,
            silent_ms: None,
            labels: Vec::new(),
        })
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The interval at which a session is renewed.
pub const SESSION_RENEW_MS: u64 = 2_000;

/// The lease of a session, for its worker: one that was not renewed for so long, counted from when its last
/// successful renewal was *sent*, is over, and its tasks are killed.
pub const SESSION_LEASE_MS: u64 = 9_000;

/// The lease of a session, for the others: one that was *watched* unrenewed for so long is over, and its tasks may
/// start elsewhere. A renewal can only be seen after it was sent, so that the difference is what a worker has to kill
/// its tasks in.
pub const SESSION_WATCH_MS: u64 = SESSION_LEASE_MS + 1_000;

// A renewal that is lost, or answered late, ends nobody; and SIGKILL takes milliseconds.
const _: () = assert!(SESSION_LEASE_MS >= 4 * SESSION_RENEW_MS);
const _: () = assert!(SESSION_WATCH_MS >= SESSION_LEASE_MS + 1_000);

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9de6b497-4996-8dc2-a5cc-615a89fa003f";

    /// A session as it is stored, with some fields written otherwise.
    fn stored(others: &[(&str, Value)]) -> String {
        let mut session = serde_json::json!({"id": ID, "count": 7, "host": "one", "pid": 1, "pools": ["gpu"], "slots": 4,
            "running": 1, "draining": false, "started_at": 1, "labels": []});
        for (name, value) in others {
            session[*name] = value.clone();
        }
        session.to_string()
    }

    #[test]
    fn a_session_with_a_field_that_is_not_known_is_read_like_any() {
        let session = Session::read(&stored(&[("gpus", serde_json::json!({"count": 2}))]));
        assert_eq!(session, Session::read(&stored(&[])));
        assert_eq!(session.map(|session| (session.slots, session.pools)), Some((4, vec!["gpu".to_owned()])));
    }

    #[test]
    fn a_session_in_another_form_is_present_and_seen_to_move() {
        let slots = || ("slots", serde_json::json!({"gpu": 4}));
        let session = Session::read(&stored(&[slots()])).unwrap();
        assert_eq!(
            (session.id.to_string(), session.count, session.host.as_str()),
            (ID.replace('-', ""), 7, "one")
        );
        let count = |text: &str| Session::read(&stored(&[slots(), ("count", text.into())])).unwrap().count;
        assert_eq!(count("a"), count("a"));
        assert_ne!(count("a"), count("b"));
        assert_eq!(Session::read(r#"{"who":"knows"}"#), None);
    }
}
