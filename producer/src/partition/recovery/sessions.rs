//! Watching workers' sessions. A session is over only after it was *watched* unrenewed for a whole lease, on our
//! own monotonic clock and in unbroken contact with the store: so an outage of the store, a failover with a
//! skewed clock or a suspended laptop ends nobody.

use std::collections::HashMap;
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_store::{SESSION_LEASE_MS, SESSION_WATCH_MS, Session};
use tokio::time::Instant;

/// Without contact for so long, watching begins anew.
const CONTACT: Duration = Duration::from_secs(4);

/// The observations of sessions.
#[derive(Debug, Default)]
pub(crate) struct SessionWatch {
    seen: HashMap<SessionId, Seen>,
    contact: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    /// Absent when the session is not in the store.
    count: Option<u64>,
    since: Instant,
    host: String,
}

impl SessionWatch {
    /// The store answered at `now` with these sessions.
    pub(crate) fn observe(&mut self, sessions: &[Session], now: Instant) {
        if self.contact.is_none_or(|contact| now.duration_since(contact) > CONTACT) {
            self.seen.clear();
        }
        self.contact = Some(now);
        for session in sessions {
            let seen = self.seen.entry(session.id).or_insert_with(|| Seen {
                count: None,
                since: now,
                host: session.host.clone(),
            });
            if seen.count != Some(session.count) {
                *seen = Seen { count: Some(session.count), since: now, host: session.host.clone() };
            }
        }
        let here: std::collections::HashSet<_> = sessions.iter().map(|session| session.id).collect();
        let forget = Duration::from_millis(SESSION_LEASE_MS) * 20;
        self.seen.retain(|id, seen| {
            if !here.contains(id) && seen.count.take().is_some() {
                seen.since = now;
            }
            here.contains(id) || now.duration_since(seen.since) < forget
        });
    }

    /// Was this session watched unrenewed for a lease? That is up to when the store answered last: what was asked then may
    /// be judged much later. Asking about one that was never seen begins to watch it.
    pub(crate) fn is_over(&mut self, session: SessionId, now: Instant) -> bool {
        let watched = Duration::from_millis(SESSION_WATCH_MS);
        let seen = self.seen.entry(session).or_insert_with(|| Seen {
            count: None,
            since: now,
            host: "unknown".to_owned(),
        });
        self.contact.is_some_and(|contact| contact.duration_since(seen.since) >= watched)
    }

    /// The host of a session, for people.
    pub(crate) fn host(&self, session: SessionId) -> &str {
        self.seen.get(&session).map_or("unknown", |seen| seen.host.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn session(id: SessionId, count: u64) -> Session {
        Session {
            id,
            count,
            host: "one".into(),
            pid: 1,
            pools: vec![],
            slots: 1,
            running: 0,
            draining: false,
            started_at: 0,
            silent_ms: None,
            labels: vec![],
        }
    }

    /// Watches for `seconds`, once a second; the count rises while `renews` says so.
    fn watch(
        watch: &mut SessionWatch,
        id: SessionId,
        start: Instant,
        seconds: std::ops::Range<u64>,
        alive: bool,
    ) -> bool {
        let mut over = false;
        for second in seconds {
            let now = start + Duration::from_secs(second);
            watch.observe(&[session(id, if alive { second } else { 0 })], now);
            over = watch.is_over(id, now);
        }
        over
    }

    #[test]
    fn a_session_that_renews_is_never_over_and_one_that_does_not_is_over_after_a_lease() {
        let (id, start) = (SessionId(Uuid::new_v4()), Instant::now());
        assert!(!watch(&mut SessionWatch::default(), id, start, 0..100, true));
        assert!(!watch(&mut SessionWatch::default(), id, start, 0..10, false));
        assert!(watch(&mut SessionWatch::default(), id, start, 0..11, false));
    }

    #[test]
    fn losing_contact_with_the_store_begins_the_watch_anew() {
        let (id, start) = (SessionId(Uuid::new_v4()), Instant::now());
        let mut sessions = SessionWatch::default();
        assert!(!watch(&mut sessions, id, start, 0..8, false));
        assert!(!watch(&mut sessions, id, start, 60..70, false), "the minute without contact does not count");
        assert!(watch(&mut sessions, id, start, 70..72, false));
    }

    #[test]
    fn a_store_that_falls_silent_between_the_look_and_the_judgement_ends_nobody() {
        let (id, start) = (SessionId(Uuid::new_v4()), Instant::now());
        let mut sessions = SessionWatch::default();
        assert!(!watch(&mut sessions, id, start, 0..5, true));
        assert!(
            !sessions.is_over(id, start + Duration::from_secs(60)),
            "it was seen alive when it was looked at"
        );
    }

    #[test]
    fn a_session_that_nobody_knows_is_over_after_a_lease_of_watching() {
        let (id, start) = (SessionId(Uuid::new_v4()), Instant::now());
        let mut sessions = SessionWatch::default();
        sessions.observe(&[], start);
        assert!(!sessions.is_over(id, start));
        for second in 1..=10 {
            sessions.observe(&[], start + Duration::from_secs(second));
        }
        assert!(sessions.is_over(id, start + Duration::from_secs(10)));
    }
}
