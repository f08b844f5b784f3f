//! The workers as people see them: who was heard of lately, and what each does. Whether a session is over, and its tasks
//! with it, is decided by watching it.

use millrace_store::{SESSION_LEASE_MS, Session};

/// A worker that was not heard of for so long is left out: it is gone, or as good as.
const SILENT_MS: u64 = 60_000;

/// The states of a worker, in words.
pub(super) const STATES: [&str; 3] = ["up", "draining", "silent"];

/// The sessions of workers that were heard of lately, by the store's clock.
pub(super) fn live(mut sessions: Vec<Session>) -> Vec<Session> {
    sessions.retain(|session| session.silent_ms.is_none_or(|silent_ms| silent_ms < SILENT_MS));
    sessions.sort_by(|a, b| (&a.host, a.pid).cmp(&(&b.host, b.pid)));
    sessions
}

/// The state of a worker, one of the [`STATES`]. One that was renewed ahead of the store's clock, which was set back,
/// has yet to show that it lives.
pub(super) fn state(session: &Session) -> &'static str {
    match session.silent_ms {
        Some(silent_ms) if silent_ms <= SESSION_LEASE_MS => match session.draining {
            true => "draining",
            false => "up",
        },
        Some(_) | None => "silent",
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::SessionId;
    use uuid::Uuid;

    use super::*;

    fn session(host: &str, silent_ms: Option<u64>) -> Session {
        Session {
            id: SessionId(Uuid::new_v4()),
            count: 1,
            host: host.into(),
            pid: 1,
            pools: vec![],
            slots: 1,
            running: 0,
            draining: false,
            started_at: 0,
            silent_ms,
            labels: vec![],
        }
    }

    #[test]
    fn a_worker_is_listed_by_how_long_the_store_has_not_heard_of_it() {
        let all = [("works", Some(2_000)), ("killed", Some(9_001)), ("gone", Some(60_000)), ("ahead", None)];
        let listed = live(all.map(|(host, silent_ms)| session(host, silent_ms)).to_vec());
        let states: Vec<_> = listed.iter().map(|session| (session.host.as_str(), state(session))).collect();
        assert_eq!(states, [("ahead", "silent"), ("killed", "silent"), ("works", "up")]);
        let leaves = Session { draining: true, ..session("leaves", Some(9_000)) };
        assert_eq!(state(&leaves), "draining");
    }
}
