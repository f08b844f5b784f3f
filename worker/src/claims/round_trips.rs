//! The worker's round trips to the store: claim, finish, hand back. A claim and a finish are repeated until they are
//! answered, since both are idempotent by the token of the delivery. A hand-back is tried once: what cannot be handed
//! back is lost, for which the owner has a remedy, and a worker that ends has no time.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::{ClaimToken, TaskId};
use millrace_runtime::Shutdown;
use millrace_store::{Claim, ClaimVerdict, Finish, FinishVerdict, Store};
use tokio::time::Instant;

use super::batcher::Batcher;
use super::retries::Retries;
use crate::session::Renewal;

/// How long it is tried to get an outcome stored.
const FINISH_BOUND: Duration = Duration::from_secs(3_600);

/// The claims of a worker on attempts: how it gets, ends and gives up what it holds in the store.
pub(crate) struct Claims {
    claims: Batcher<Claim, (ClaimVerdict, Renewal)>,
    finishes: Batcher<Finish, FinishVerdict>,
    hand_backs: Batcher<(TaskId, ClaimToken), bool>,
}

impl Claims {
    /// Starts the round trips. Claims are given up when the shutdown begins while the store is away.
    pub(crate) fn start(store: &Arc<dyn Store>, shutdown: &Shutdown) -> Self {
        let (claiming, ending) = (Arc::clone(store), shutdown.clone());
        let (finishing, returning) = (Arc::clone(store), Arc::clone(store));
        Self {
            claims: Batcher::start(shutdown, move |claims| {
                claim(Arc::clone(&claiming), claims, ending.clone())
            }),
            finishes: Batcher::start(shutdown, move |finishes| finish(Arc::clone(&finishing), finishes)),
            hand_backs: Batcher::start(shutdown, move |attempts| hand_back(Arc::clone(&returning), attempts)),
        }
    }

    /// Claims an attempt: the verdict, and when the trip began that brought it. Since a claim that is asked for again is
    /// judged anew, the verdict holds of that time, however long the store was away before. `None` when the worker ends:
    /// the delivery goes back.
    pub(crate) async fn claim(&self, claim: Claim) -> Option<(ClaimVerdict, Renewal)> {
        self.claims.ask(claim).await
    }

    /// Stores an outcome. `None` when the store did not take it for an hour.
    pub(crate) async fn finish(&self, finish: Finish) -> Option<FinishVerdict> {
        self.finishes.ask(finish).await
    }

    /// Hands an attempt back, as if it had never been claimed. `false` when that failed, and it counts as lost.
    pub(crate) async fn hand_back(&self, task: TaskId, token: ClaimToken) -> bool {
        self.hand_backs.ask((task, token)).await.unwrap_or(false)
    }
}

/// Claims until the store answers; gives up when the shutdown has begun.
async fn claim(
    store: Arc<dyn Store>,
    claims: Vec<Claim>,
    shutdown: Shutdown,
) -> Vec<(ClaimVerdict, Renewal)> {
    let mut retries = Retries::new();
    loop {
        let asked = Renewal::now();
        match store.claim(&claims).await {
            Ok(verdicts) => return verdicts.into_iter().map(|verdict| (verdict, asked)).collect(),
            Err(error) => retries.warn("claims are not answered", &error),
        }
        if shutdown.has_begun() {
            return Vec::new();
        }
        retries.wait().await;
    }
}

/// Stores outcomes, for an hour at most.
async fn finish(store: Arc<dyn Store>, finishes: Vec<Finish>) -> Vec<FinishVerdict> {
    let (mut retries, began) = (Retries::new(), Instant::now());
    loop {
        match store.finish(&finishes).await {
            Ok(verdicts) => return verdicts,
            Err(error) => retries.warn("outcomes are not stored", &error),
        }
        if began.elapsed() > FINISH_BOUND {
            return Vec::new();
        }
        retries.wait().await;
    }
}

/// Hands attempts back, once.
async fn hand_back(store: Arc<dyn Store>, attempts: Vec<(TaskId, ClaimToken)>) -> Vec<bool> {
    let result = store.hand_back(&attempts).await;
    if let Err(error) = &result {
        for (task, _) in &attempts {
            tracing::warn!(%task, %error, "the task could not be handed back; it counts as lost");
        }
    }
    vec![result.is_ok(); attempts.len()]
}
