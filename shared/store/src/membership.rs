//! What a process knows of the cluster that it belongs to, held against what the store says: at the start, and every
//! few seconds from then on. Producers and workers do the same with it.

use std::time::Duration;

use millrace_domain::{ClusterId, Timestamp};

use crate::{Cluster, FORMAT, Store, StoreError};

/// Clocks of two servers may differ by so much.
const SKEW: Duration = Duration::from_secs(10);

/// A process's place in a cluster.
#[derive(Debug, Clone)]
pub struct Membership {
    /// What kind of queues this process has, in its broker's word.
    queues: &'static str,
    known: Option<Cluster>,
    /// When the store last held what is known, by its own clock.
    seen: Timestamp,
}

/// How what is known stands to what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No producer has founded a cluster here yet.
    Unfounded,
    /// The store holds what is known.
    Member,
    /// The store has lost what it held, and begins anew. What happened, in a sentence.
    Emptied(String),
    /// The store is not this process's: nothing may be done with it. Why, and what to do, in a sentence.
    Apart(String),
}

impl Membership {
    /// Of a process that has not seen its cluster yet.
    pub fn new(queues: &'static str) -> Self {
        Self { queues, known: None, seen: Timestamp::default() }
    }

    /// Founds a cluster, or joins the one that is there: what holds. `explicit` says that the number of partitions was
    /// asked for by name.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when what is there is something else than what was asked for.
    pub async fn found(
        &mut self,
        store: &dyn Store,
        wanted: &Cluster,
        explicit: bool,
    ) -> Result<Cluster, StoreError> {
        let holds = store.found(wanted).await?;
        let partitions = explicit.then_some(wanted.partitions);
        if let Some(why) = mismatch(&holds, partitions, self.queues) {
            return Err(StoreError::Configuration(why));
        }
        self.join(holds.clone(), Timestamp::default());
        Ok(holds)
    }

    /// Looks whether the store still is what it was. One that has lost what it held gets back what is fixed for the
    /// cluster.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look(&mut self, store: &dyn Store) -> Result<Standing, StoreError> {
        let (stored, now) = store.cluster().await?;
        let Some(known) = &self.known else {
            let Some(holds) = stored else { return Ok(Standing::Unfounded) };
            return Ok(match mismatch(&holds, None, self.queues) {
                Some(why) => Standing::Apart(why),
                None if holds.id == ClusterId::UNKNOWN => Standing::Member,
                None => self.join(holds, now),
            });
        };
        let holds = match stored {
            Some(holds) if holds.id != ClusterId::UNKNOWN => holds,
            _ => store.found(known).await?,
        };
        if (holds.id, holds.since) == (known.id, known.since) {
            self.seen = now;
            return Ok(Standing::Member);
        }
        if let Some(why) = mismatch(&holds, Some(known.partitions), self.queues) {
            return Ok(Standing::Apart(format!("the store holds another cluster than before: {why}")));
        }
        // Whoever has founded it after we last saw ours has found it empty. What is older than that is somebody else's.
        let began = Timestamp::from_millis(i64::try_from(holds.since.0 / 1_000).unwrap_or(i64::MAX));
        if holds.id != known.id && began + SKEW < self.seen {
            return Ok(Standing::Apart(format!(
                "the store holds another cluster ({}, founded {began}) than the one that this process belongs to ({}): \
                 let MILLRACE_REDIS_URL lead to the own one again, or restart this process to join the other",
                holds.id, known.id
            )));
        }
        self.join(holds, now);
        Ok(Standing::Emptied(format!(
            "the store has lost what it held (it was emptied, or another server without the data is in its place): runs, \
             workflows, schedules and logs of before {began} are gone. The cluster goes on without them: ad-hoc tasks \
             that the broker still holds come back, other tasks go to the rejected queue; apply the workflows again"
        )))
    }

    /// What is known, once it is.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.known.as_ref()
    }

    fn join(&mut self, holds: Cluster, now: Timestamp) -> Standing {
        self.known = Some(holds);
        self.seen = now;
        Standing::Member
    }
}

/// What is there, what was asked for, and what to do.
fn mismatch(holds: &Cluster, partitions: Option<u16>, queues: &str) -> Option<String> {
    if holds.format != FORMAT {
        return Some(format!(
            "what is stored has format {} and this program knows {FORMAT}: use the millrace that wrote it, or another \
             MILLRACE_PREFIX",
            holds.format
        ));
    }
    if let Some(wanted) = partitions.filter(|wanted| *wanted != holds.partitions) {
        return Some(format!(
            "this cluster has {} partitions, but here MILLRACE_PARTITIONS is {wanted}; the number is fixed when a cluster \
             is created: unset it, or use another MILLRACE_PREFIX",
            holds.partitions
        ));
    }
    (!holds.queues.is_empty() && holds.queues != queues).then(|| {
        format!(
            "this cluster has {} queues, but here MILLRACE_QUEUE_TYPE is {queues}; the type is fixed when a cluster is \
             created: set MILLRACE_QUEUE_TYPE={0}, or use another MILLRACE_PREFIX",
            holds.queues
        )
    })
}
