//! The worker's presence: one write every two seconds, however many tasks it runs. A worker that could not renew
//! for a whole lease is dead to the others, so it kills its tasks before somebody else may start them. Should it be
//! frozen itself, those do that who keep them: see [`crate::guardian`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_runtime::Shutdown;
use millrace_store::{SESSION_LEASE_MS, SESSION_RENEW_MS, Session, Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::ClusterCheck;
use crate::guardian::{Boottime, Guardian};
use crate::running::Running;
use crate::stop::StopReason;

/// How long it takes until it is said again that the session cannot be renewed.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// What is told of a worker with every renewal, and does not change.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: SessionId,
    pub(crate) host: String,
    pub(crate) pools: Vec<String>,
    pub(crate) slots: u32,
    pub(crate) labels: Vec<String>,
    pub(crate) started_at: i64,
}

/// The heartbeat of a worker: it renews the session, and tells whether the lease holds.
pub(crate) struct Heartbeat {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cluster: ClusterCheck,
    pub(crate) identity: Identity,
    /// The guardian, which is told of each renewal, so that tasks are killed when the worker is frozen.
    pub(crate) guardian: Option<Guardian>,
    pub(crate) running: Arc<Running>,
    /// Whether the lease holds.
    pub(crate) alive: watch::Sender<bool>,
    /// The names of the pools that are paused, as far as the store has told.
    pub(crate) paused: watch::Sender<BTreeSet<String>>,
    pub(crate) draining: Shutdown,
}

impl Heartbeat {
    /// Renews the session until `ended`, in the store of the worker's cluster only: in any other one, or before there
    /// is a cluster, nothing is to be taken.
    pub(crate) async fn run(mut self, ended: Shutdown) {
        let lease = Duration::from_millis(SESSION_LEASE_MS);
        let every = Duration::from_millis(SESSION_RENEW_MS);
        let mut count = 0;
        let mut renewed: Option<Renewal> = None;
        let mut said: Option<Instant> = None;
        loop {
            count += 1;
            let session = self.session(count);
            // The lease counts from when the renewal was sent: the store may have heard it at once.
            let renewal = Renewal::now();
            // Whoever was frozen for a lease may find the store ready to renew it: its tasks are somebody else's by
            // now.
            self.give_up_if_lapsed(renewed);
            let left = renewed.map_or(every, |renewed| lease.saturating_sub(renewed.age())).max(every / 4);
            let answer = tokio::time::timeout(left.min(every * 2), self.renew(&session)).await;
            let wait = match answer {
                Ok(Ok(false)) => every.saturating_sub(renewal.sent.elapsed()),
                Ok(Ok(true)) => {
                    // Was the machine suspended meanwhile, the tasks of before may be somebody else's: they end before
                    // anybody hears of this renewal.
                    self.give_up_if_lapsed(renewed);
                    (renewed, said) = (Some(renewal), None);
                    if let Some(guardian) = &self.guardian {
                        guardian.renewed(renewal.sent_at);
                    }
                    self.alive.send_replace(true);
                    every.saturating_sub(renewal.sent.elapsed())
                }
                Ok(Err(error)) => {
                    if said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                        tracing::warn!(%error, "the session cannot be renewed");
                        said = Some(Instant::now());
                    }
                    every / 8
                }
                Err(_) => {
                    tracing::warn!("the session's renewal is not answered");
                    Duration::ZERO
                }
            };
            self.give_up_if_lapsed(renewed);
            tokio::select! {
                biased;
                () = ended.begun() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        if let Err(error) = self.store.end_session(self.identity.id).await {
            tracing::debug!(%error, "the session could not be ended; it lapses by itself");
        }
    }

    /// What the renewal of this number says of the worker.
    fn session(&self, count: u64) -> Session {
        let identity = &self.identity;
        Session {
            id: identity.id,
            count,
            host: identity.host.clone(),
            pid: std::process::id(),
            pools: identity.pools.clone(),
            slots: identity.slots,
            running: u32::try_from(self.running.count()).unwrap_or(u32::MAX),
            draining: self.draining.has_begun(),
            started_at: identity.started_at,
            silent_ms: None,
            labels: identity.labels.clone(),
        }
    }

    /// Renews the session once. `false` when the store is not that of the worker's cluster.
    async fn renew(&mut self, session: &Session) -> Result<bool, StoreError> {
        match self.cluster.is_ours(&*self.store).await? {
            true => {
                let paused = self.store.renew_session(session).await?.into_iter().collect();
                self.paused.send_if_modified(|known| {
                    let is_new = *known != paused;
                    *known = paused;
                    is_new
                });
                Ok(true)
            }
            false => Ok(false),
        }
    }

    /// Kills the tasks when the session was not renewed for a whole lease.
    fn give_up_if_lapsed(&self, renewed: Option<Renewal>) {
        let lease = Duration::from_millis(SESSION_LEASE_MS);
        if renewed.is_none_or(|renewed| renewed.age() >= lease) && *self.alive.borrow() {
            self.alive.send_replace(false);
            let killed = self.running.stop_all(StopReason::LeaseLost);
            tracing::error!(
                killed,
                "the session could not be renewed for a whole lease: its tasks are killed"
            );
        }
    }
}

/// The time when a renewal was sent, by a clock that stands still while the machine is suspended and by one that does
/// not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal {
    sent: Instant,
    sent_at: Boottime,
}

impl Renewal {
    /// A renewal that is sent now.
    pub(crate) fn now() -> Self {
        Self { sent: Instant::now(), sent_at: Boottime::now() }
    }

    /// The time since it was sent, suspended time included.
    pub(crate) fn age(self) -> Duration {
        self.sent.elapsed().max(self.sent_at.until(Boottime::now()))
    }
}
